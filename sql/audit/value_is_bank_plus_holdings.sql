-- A portfolio's value is its bank plus its holdings at the last close.
-- table: simulation_daily
with
-- Small numbers stand for names and dates here, since the join has a row per scenario, asset and session.
scenarios as (
    select strategy, reserve, row_number() over (order by strategy, reserve)::integer as scenario
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
marks as (
    select
        days.day,
        assets.asset,
        last_value(prices.close ignore nulls) over (partition by assets.asset order by days.day) as price
    from days
    cross join assets
    left join prices on days.session = prices.session and assets.ticker = prices.ticker
),
moves as (
    select scenarios.scenario, assets.asset, days.day, sum(simulation_ledger.quantity) as quantity
    from simulation_ledger
    inner join scenarios using (strategy, reserve)
    inner join assets using (ticker)
    inner join days using (session)
    where simulation_ledger.quantity is not null
    group by all
),
positions as (
    select scenario, asset, day, sum(quantity) over (partition by scenario, asset order by day) as holdings
    from moves
),
held as (
    select scenario, day, sum(holdings * price) as holdings_value
    from (from marks cross join scenarios)
    asof inner join positions using (scenario, asset, day)
    group by all
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
where same_money(simulation_daily.value, simulation_daily.bank + coalesce(held.holdings_value, 0)) is not true
