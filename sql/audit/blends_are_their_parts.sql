-- The value of a blend is the sum of the z of its parts, each times its weight.
-- table: signal
with
added as (
    select
        signal_weight.session,
        signal_weight.signal,
        part.ticker,
        sum(signal_weight.weight * part.z) as expected,
        count(signal_weight.weight * part.z) = count(signal_weight.part) as is_whole
    from signal_weight
    inner join signal as part on signal_weight.session = part.session and signal_weight.part = part.signal
    group by all
)
select added.session, added.signal, added.ticker, signal.value, added.expected
from added
left join signal using (session, signal, ticker)
where (signal.value is not null) <> added.is_whole or abs(signal.value - added.expected) > 1e-9
