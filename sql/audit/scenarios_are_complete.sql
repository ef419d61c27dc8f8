-- Every stored scenario has metrics, and on the present prices a day for every session where its days are kept.
-- table: simulation_metrics
select
    stored.strategy,
    stored.reserve,
    count(simulation_daily.session) as days
from simulation_partition as stored
left join simulation_metrics using (strategy, reserve)
left join simulation_daily using (strategy, reserve)
group by stored.strategy, stored.reserve, stored.is_current, stored.keep, simulation_metrics.strategy
having
    simulation_metrics.strategy is null
    or (stored.keep = 'metrics') != (count(simulation_daily.session) = 0)
    or (
        stored.is_current
        and stored.keep != 'metrics'
        and count(simulation_daily.session) <> (select count(*) from sessions)
    )
