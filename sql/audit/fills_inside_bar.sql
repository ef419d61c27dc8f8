-- No fill lies outside the bar of its session.
-- table: simulation_ledger
select
    simulation_ledger.strategy,
    simulation_ledger.reserve,
    simulation_ledger.seq,
    simulation_ledger.price,
    prices.low,
    prices.high
from simulation_ledger
inner join simulation_partition using (strategy, reserve)
left join prices using (session, ticker)
where
    simulation_partition.is_current
    and simulation_ledger.quantity is not null
    and (
        prices.low is null
        or simulation_ledger.price < prices.low * (1 - 1e-9)
        or simulation_ledger.price > prices.high * (1 + 1e-9)
    )
