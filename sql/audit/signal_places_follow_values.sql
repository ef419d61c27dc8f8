-- Percentiles and z are those of the values of investable assets, and an asset that is none of them has neither.
-- table: signal
with
placed as (
    select
        signal.session,
        signal.signal,
        signal.ticker,
        signal.percentile,
        signal.z,
        signal.value is not null and signal_input.is_investable as is_placed,
        percent_rank() over alike as below,
        cume_dist() over alike as up_to,
        count(signal.ticker) over among as assets,
        avg(signal.value) over among as mean,
        stddev_samp(signal.value) over among as deviation,
        signal.value
    from signal
    inner join signal_input using (session, ticker)
    window
        among as (
            partition by signal.session, signal.signal, signal.value is not null and signal_input.is_investable
        ),
        alike as (
            partition by signal.session, signal.signal, signal.value is not null and signal_input.is_investable
            order by signal.value
        )
)
select session, signal, ticker, percentile, z
from placed
where
    (percentile is not null) <> is_placed
    or abs(percentile - (below * (assets - 1) + up_to * assets) / 2 / assets) > 1e-9
    or (z is not null) <> (is_placed and assets >= 5)
    or (deviation > 1e-11 and abs(z - greatest(-3, least(3, (value - mean) / deviation))) > 1e-6)
