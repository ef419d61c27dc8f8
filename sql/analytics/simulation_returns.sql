-- The time-weighted return of every scenario and session, with the growth and drawdown it leads to.
-- Grain: strategy, reserve, session.
-- Sources: simulation_daily, rates, lake.simulation_partition.
with
days as (
    select
        daily.strategy,
        daily.reserve,
        daily.session,
        daily.value,
        daily.withdrawals,
        daily.deposits,
        -- Before the first session there is the capital: what entering costs is part of the first return.
        lag(daily.value, 1, stored.capital) over (
            partition by daily.strategy, daily.reserve order by daily.session
        ) as previous_value
    from simulation_daily as daily
    inner join lake.simulation_partition as stored using (strategy, reserve)
),

returns as (
    select
        days.strategy,
        days.reserve,
        days.session,
        days.previous_value + days.deposits as opening_value,
        time_weighted_return(days.value, days.withdrawals, days.previous_value, days.deposits) as simple_return,
        rates.risk_free_return
    from days
    left join rates using (session)
),

growth as (
    select
        strategy,
        reserve,
        session,
        opening_value,
        simple_return,
        risk_free_return,
        product(growth_factor(simple_return)) over (partition by strategy, reserve order by session) as twr_index
    from returns
)

select
    strategy,
    reserve,
    session,
    opening_value,
    simple_return,
    risk_free_return,
    simple_return - risk_free_return as excess_return,
    twr_index,
    drawdown(
        twr_index,
        max(twr_index) over (partition by strategy, reserve order by session)
    ) as drawdown
from growth
order by strategy, reserve, session
