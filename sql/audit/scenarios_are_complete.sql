-- Every scenario on the present prices has a day for every session.
-- table: simulation_daily
select report_strategy.strategy, report_strategy.reserve, count(simulation_daily.session) as days
from report_strategy
left join simulation_daily using (strategy, reserve)
where report_strategy.is_current
group by all
having count(simulation_daily.session) != (select count(*) from sessions)
