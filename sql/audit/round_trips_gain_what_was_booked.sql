-- Round trips of an asset gained what its sales booked as buyback gain.
-- table: attribution_trade
with
booked as (
    select ledger.strategy, ledger.reserve, ledger.ticker, sum(ledger.buyback_gain) as gain
    from simulation_ledger as ledger
    inner join lake.simulation_partition as stored using (strategy, reserve)
    where stored.is_current and ledger.buyback_gain is not null
    group by all
),
trades as (
    select strategy, reserve, ticker, sum(gain) as gain, sum(quantity * price) as paid
    from attribution_trade
    group by all
)
select strategy, reserve, ticker, trades.gain, booked.gain as booked_gain
from booked
full join trades using (strategy, reserve, ticker)
where
    same_money(coalesce(trades.gain, 0), coalesce(booked.gain, 0), money := coalesce(trades.paid, 0)) is not true
