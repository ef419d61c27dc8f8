-- A month begins with a value, adds profit and deposits, pays withdrawals, and ends with a value.
-- table: attribution_asset
with
days as (
    select
        daily.strategy,
        daily.reserve,
        daily.session,
        date_trunc('month', daily.session)::date as month,
        lag(daily.value, 1, stored.capital) over (
            partition by daily.strategy, daily.reserve order by daily.session
        ) as previous_value,
        daily.value,
        daily.withdrawals,
        daily.deposits,
        stored.capital
    from simulation_daily as daily
    inner join lake.simulation_partition as stored using (strategy, reserve)
    where stored.is_current and stored.keep = 'ledger'
),
months as (
    select
        strategy,
        reserve,
        month,
        arg_min(previous_value, session) + sum(deposits) as put_in,
        arg_max(value, session) + sum(withdrawals) as came_out,
        any_value(capital) as capital
    from days
    group by all
),
attributed as (
    select strategy, reserve, month, sum(profit) as profit
    from attribution_asset
    group by all
)
select strategy, reserve, month, attributed.profit, months.came_out - months.put_in as expected_profit
from months
full join attributed using (strategy, reserve, month)
where same_money(months.put_in + attributed.profit, months.came_out, money := months.capital) is not true
