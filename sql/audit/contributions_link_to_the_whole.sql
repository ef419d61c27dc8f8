-- Linked contributions add up to the time-weighted return of the whole period.
-- table: attribution_asset
with
survivors as (
    select strategy, reserve
    from simulation_returns
    group by all
    -- After a total loss there is nothing to compare.
    having min(simple_return) > -1
),
attributed as (
    select strategy, reserve, sum(linked_contribution) as contribution
    from attribution_asset
    group by all
)
select report_strategy.strategy, report_strategy.reserve, attributed.contribution, report_strategy.twr
from report_strategy
inner join survivors using (strategy, reserve)
inner join simulation_partition as stored using (strategy, reserve)
left join attributed using (strategy, reserve)
where
    report_strategy.is_current
    and stored.keep = 'ledger'
    and same_return(attributed.contribution, report_strategy.twr) is not true
