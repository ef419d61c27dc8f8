-- Opportunity costs add up to what all but the reserve would have earned in the benchmark, less what it earned.
-- table: report_opportunity_cost
with
days as (
    select
        returns.strategy,
        returns.reserve,
        returns.opening_value,
        date_trunc('month', returns.session)::date as month,
        returns.opening_value * (1 - returns.reserve) * benchmark_daily.simple_return as benchmark_profit,
        -- Below zero there is no return, yet a profit.
        daily.value + daily.withdrawals - returns.opening_value * (1 + returns.reserve * returns.risk_free_return)
            as profit,
        benchmark_daily.simple_return is null
            and returns.session <> (select min(session) from sessions) as is_uncovered
    from simulation_returns as returns
    inner join lake.simulation_partition as stored using (strategy, reserve)
    inner join simulation_daily as daily using (strategy, reserve, session)
    inner join benchmark_daily using (session)
    where stored.is_current and stored.keep = 'ledger'
),
months as (
    select
        strategy,
        reserve,
        coalesce(sum(benchmark_profit), 0) as benchmark_profit,
        coalesce(sum(profit), 0) as profit,
        max(opening_value) as highest_value
    from days
    group by strategy, reserve, month
    having not bool_or(is_uncovered)
),
expected as (
    select strategy, reserve, sum(benchmark_profit) - sum(profit) as expected_cost, max(highest_value) as highest_value
    from months
    group by all
),
reported as (
    select strategy, reserve, sum(opportunity_cost) as opportunity_cost
    from report_opportunity_cost
    group by all
)
select strategy, reserve, reported.opportunity_cost, expected.expected_cost
from expected
left join reported using (strategy, reserve)
-- Measured by the money at work, since its profits in the two can be almost the same.
where same_money(reported.opportunity_cost, expected.expected_cost, money := expected.highest_value) is not true
