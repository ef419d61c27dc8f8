-- Every scenario by calendar month: what it returned, what was paid in and out, and what it was worth.
-- Grain: strategy, reserve, month.
-- Sources: simulation_returns, simulation_daily, simulation_income, simulation_partition, rates, study.
with
days as (
    select
        strategy,
        reserve,
        session,
        date_trunc('month', session)::date as month,
        daily.value,
        daily.deposits,
        daily.withdrawals,
        returns.simple_return,
        rates.price_index
    from simulation_daily as daily
    inner join simulation_returns as returns using (strategy, reserve, session)
    inner join simulation_partition as stored using (strategy, reserve)
    inner join rates using (session)
    -- Others have sessions of their own.
    where stored.is_current
),

months as (
    select
        days.strategy,
        days.reserve,
        days.month,
        stored.capital,
        min(days.session) as first_session,
        max(days.session) as last_session,
        count(days.session) as sessions,
        sum(days.deposits) as deposits,
        sum(days.withdrawals) as withdrawals,
        sum(days.withdrawals / days.price_index) as real_withdrawals,
        arg_max(days.value, days.session) as end_value,
        arg_max(days.price_index, days.session) as price_index,
        product(growth_factor(days.simple_return)) - 1 as twr
    from days
    inner join simulation_partition as stored using (strategy, reserve)
    group by days.strategy, days.reserve, days.month, stored.capital
),

-- The study begins at the close of its first session, so what came before in that month is not in it.
span as (
    select
        date_trunc('month', min(rates.session))::date as first_month,
        date_trunc('month', max(rates.session))::date as last_month,
        date_trunc('month', study.next_session)::date as next_month
    from rates
    cross join study
    group by study.next_session
)

select
    months.strategy,
    months.reserve,
    months.month,
    months.first_session,
    months.last_session,
    months.sessions,
    months.month > span.first_month
    and (months.month < span.last_month or coalesce(months.month < span.next_month, false)) as is_whole,
    lag(months.end_value, 1, months.capital) over scenario as start_value,
    months.deposits,
    months.withdrawals,
    months.end_value,
    months.twr,
    income.dividends,
    income.interest,
    income.harvest_net,
    case
        when study.has_price_index
            then (1 + months.twr) / (months.price_index / lag(months.price_index, 1, 1) over scenario) - 1
    end as real_twr,
    case when study.has_price_index then months.real_withdrawals end as real_withdrawals,
    case when study.has_price_index then months.end_value / months.price_index end as real_end_value
from months
cross join span
cross join study
left join simulation_income as income using (strategy, reserve, month)
window scenario as (partition by months.strategy, months.reserve order by months.month)
order by months.strategy, months.reserve, months.month
