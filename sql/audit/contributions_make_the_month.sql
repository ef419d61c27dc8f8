-- Contributions to a month add up to its time-weighted return.
-- table: attribution_asset
with
expected as (
    select
        returns.strategy,
        returns.reserve,
        date_trunc('month', returns.session)::date as month,
        product(1 + returns.simple_return) - 1 as expected_return
    from simulation_returns as returns
    inner join lake.simulation_partition as stored using (strategy, reserve)
    where stored.is_current and stored.keep = 'ledger'
    group by all
    -- After a total loss there is nothing to compare.
    having min(returns.simple_return) > -1
),
attributed as (
    select strategy, reserve, month, sum(contribution) as contribution
    from attribution_asset
    group by all
)
select strategy, reserve, month, attributed.contribution, expected.expected_return
from expected
left join attributed using (strategy, reserve, month)
where same_return(attributed.contribution, expected.expected_return) is not true
