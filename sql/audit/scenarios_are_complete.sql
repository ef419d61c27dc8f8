-- Every stored scenario has a report, and on the present prices a day for every session.
-- table: report_strategy
select
    stored.strategy,
    stored.reserve,
    count(simulation_daily.session) as days
from lake.simulation_partition as stored
left join report_strategy using (strategy, reserve)
left join simulation_daily using (strategy, reserve)
group by stored.strategy, stored.reserve, stored.is_current, report_strategy.strategy
having
    report_strategy.strategy is null
    or count(simulation_daily.session) = 0
    or (stored.is_current and count(simulation_daily.session) <> (select count(*) from sessions))
