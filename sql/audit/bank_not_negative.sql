-- The bank of a strategy without margin never falls below zero.
-- table: simulation_daily
select
    simulation_daily.strategy,
    simulation_daily.reserve,
    simulation_daily.session,
    simulation_daily.bank
from simulation_daily
inner join study_strategy using (strategy)
inner join simulation_partition using (strategy, reserve)
where
    simulation_partition.is_current
    and study_strategy.rule_margin_limit is null
    -- By as much the simulation lets a purchase overdraw the bank, and by as much rounding may.
    and simulation_daily.bank < -1e-9 - 1e-9 * greatest(simulation_partition.capital, simulation_daily.value)
