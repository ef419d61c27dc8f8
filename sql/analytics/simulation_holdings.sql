-- What every scenario holds of every asset at the close of every session.
-- Grain: strategy, reserve, session, ticker.
-- Sources: simulation_ledger, simulation_daily, simulation_partition, asset_returns.
with
highs as (
    select
        session,
        ticker,
        price,
        max(price) over (partition by ticker order by session) as nav
    from asset_returns
),

marks as (
    select
        session,
        ticker,
        price,
        nav,
        price / lag(nav) over (partition by ticker order by session) - 1 as premium
    from highs
),

moves as (
    select
        strategy,
        reserve,
        session,
        ticker,
        sum(quantity) as quantity
    from simulation_ledger
    where quantity is not null
    group by strategy, reserve, session, ticker
),

positions as (
    select
        strategy,
        reserve,
        session,
        ticker,
        sum(quantity) over (partition by strategy, reserve, ticker order by session) as holdings
    from moves
),

portfolios as (
    select
        daily.strategy,
        daily.reserve,
        daily.session,
        daily.value,
        marks.ticker,
        marks.price,
        marks.nav,
        marks.premium,
        coalesce(positions.holdings, 0) as holdings
    from simulation_daily as daily
    -- Days alone do not show what is held.
    inner join simulation_partition as stored
        on daily.strategy = stored.strategy
        and daily.reserve = stored.reserve
        and stored.keep = 'ledger'
    inner join marks on daily.session = marks.session
    -- A position is what its last trade left.
    asof left join positions
        on daily.strategy = positions.strategy
        and daily.reserve = positions.reserve
        and marks.ticker = positions.ticker
        and daily.session >= positions.session
)

select
    strategy,
    reserve,
    session,
    ticker,
    holdings,
    price,
    holdings * price as market_value,
    share_of_value(holdings * price, value) as weight,
    nav,
    premium
from portfolios
