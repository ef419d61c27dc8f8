-- No fill of a bucket lies outside the bar of its session, where that is known of a real fill.
-- table: bucket_ledger
with
bars as (
    select session, ticker, low, high, true as is_core
    from prices
    union all
    select session, ticker, low, high, false as is_core
    from satellite_prices
)
select
    ledger.book,
    ledger.seq,
    ledger.bucket,
    ledger.price,
    bars.low,
    bars.high
from bucket_ledger as ledger
left join bars
    on
        ledger.session = bars.session
        and ledger.ticker = bars.ticker
        and (ledger.bucket = 'core') = bars.is_core
where
    ledger.quantity is not null
    and not is_of_ledger(ledger.book)
    and (
        bars.low is null
        or ledger.price < bars.low * (1 - 1e-9)
        or ledger.price > bars.high * (1 + 1e-9)
    )
