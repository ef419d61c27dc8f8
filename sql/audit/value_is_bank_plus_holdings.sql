-- A portfolio's value is its bank plus its holdings at the last close.
-- table: simulation_daily
with
-- Small numbers represent names and dates here, since the join has a row per scenario, asset and session.
scenarios as (
    select strategy, reserve, capital, row_number() over (order by strategy, reserve)::integer as scenario
    from simulation_partition
    -- A scenario on older prices is worth what it was at those.
    where is_current and keep = 'ledger'
),
assets as (
    select ticker, position::integer as asset
    from study_asset
),
days as (
    select session, row_number() over (order by session)::integer as day
    from sessions
),
-- The sessions of all assets are numbered through, since one number is faster to look up than two.
marks as (
    select
        row_number() over (order by assets.asset, days.day) as step,
        days.day,
        days.session,
        assets.ticker,
        last_value(prices.close ignore nulls) over (partition by assets.asset order by days.day) as price
    from days
    cross join assets
    left join prices on days.session = prices.session and assets.ticker = prices.ticker
),
closes as (
    select
        scenarios.scenario,
        unnest(range(opened.step, closed.step + 1)) as step,
        intervals.holdings
    from holding_interval as intervals
    inner join scenarios using (strategy, reserve)
    inner join marks as opened on intervals.ticker = opened.ticker and intervals.first_session = opened.session
    inner join marks as closed on intervals.ticker = closed.ticker and intervals.last_session = closed.session
),
held as (
    select closes.scenario, marks.day, sum(closes.holdings * marks.price) as holdings_value
    from closes
    inner join marks using (step)
    group by closes.scenario, marks.day
)
select
    simulation_daily.strategy,
    simulation_daily.reserve,
    simulation_daily.session,
    simulation_daily.value,
    simulation_daily.bank + coalesce(held.holdings_value, 0) as expected_value
from simulation_daily
inner join scenarios using (strategy, reserve)
inner join days using (session)
left join held using (scenario, day)
where same_money(
    simulation_daily.value,
    simulation_daily.bank + coalesce(held.holdings_value, 0),
    money := greatest(scenarios.capital, coalesce(held.holdings_value, 0))
) is not true
