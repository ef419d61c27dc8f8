-- Every scenario by calendar year: what it returned, what was paid in and out, what it was worth, and what tax is owed.
-- Grain: strategy, reserve, year.
-- Sources: report_month, simulation_returns, simulation_taxes, study.
with
years as (
    select
        strategy,
        reserve,
        year(month) as year,
        min(first_session) as first_session,
        max(last_session) as last_session,
        sum(sessions)::bigint as sessions,
        arg_min(start_value, month) as start_value,
        sum(deposits) as deposits,
        sum(withdrawals) as withdrawals,
        arg_max(end_value, month) as end_value,
        product(1 + twr) - 1 as twr,
        sum(dividends) as dividends,
        sum(interest) as interest,
        sum(harvest_net) as harvest_net,
        product(1 + real_twr) - 1 as real_twr,
        sum(real_withdrawals) as real_withdrawals,
        arg_max(real_end_value, month) as real_end_value
    from report_month
    group by strategy, reserve, year(month)
),

growth as (
    select
        strategy,
        reserve,
        year(session) as year,
        session,
        product(growth_factor(simple_return)) over (
            partition by strategy, reserve, year(session) order by session
        ) as growth
    from simulation_returns
),

falls as (
    select
        strategy,
        reserve,
        year,
        drawdown(growth, max(growth) over (partition by strategy, reserve, year order by session)) as drawdown
    from growth
),

deepest as (
    select
        strategy,
        reserve,
        year,
        min(drawdown) as max_drawdown
    from falls
    group by strategy, reserve, year
),

span as (
    select
        min(year(month)) as first_year,
        max(year(month)) as last_year,
        year(any_value(study.next_session)) as next_year
    from report_month
    cross join study
)

select
    years.strategy,
    years.reserve,
    years.year,
    years.first_session,
    years.last_session,
    years.sessions,
    years.year > span.first_year
    and (years.year < span.last_year or coalesce(years.year < span.next_year, false)) as is_whole,
    years.start_value,
    years.deposits,
    years.withdrawals,
    years.end_value,
    years.twr,
    deepest.max_drawdown,
    years.dividends,
    years.interest,
    years.harvest_net,
    taxes.tax,
    years.real_twr,
    years.real_withdrawals,
    years.real_end_value
from years
cross join span
left join deepest using (strategy, reserve, year)
left join simulation_taxes as taxes using (strategy, reserve, year)
order by years.strategy, years.reserve, years.year
