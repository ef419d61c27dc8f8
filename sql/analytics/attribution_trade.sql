-- Every round trip: a part of a buyback lot and its sale, with its gain and length, and premium and regime at purchase.
-- Grain: strategy, reserve, lot, part.
-- Sources: simulation_lots, sessions, market_regime, lake.simulation_partition.
with
-- What was known when a session began.
entries as (
    select
        sessions.session,
        lag(market_regime.regime) over (order by sessions.session) as regime
    from sessions
    left join market_regime using (session)
),

trades as (
    select
        lots.strategy,
        lots.reserve,
        lots.lot,
        lots.part,
        lots.ticker,
        lots.opened,
        lots.closed,
        lots.closed - lots.opened as holding_days,
        lots.quantity,
        lots.price,
        lots.sale_price,
        lots.quantity * (lots.sale_price - lots.price) as gain,
        lots.premium,
        entries.regime
    from simulation_lots as lots
    inner join lake.simulation_partition as stored using (strategy, reserve)
    left join entries on lots.opened = entries.session
    where stored.is_current and lots.closed is not null
)

select
    strategy,
    reserve,
    lot,
    part,
    ticker,
    opened,
    closed,
    holding_days,
    case
        when holding_days <= 7 then '0 to 7'
        when holding_days <= 30 then '8 to 30'
        when holding_days <= 90 then '31 to 90'
        when holding_days <= 365 then '91 to 365'
        else 'over 365'
    end as holding_period,
    quantity,
    price,
    sale_price,
    gain,
    sale_price / price - 1 as trade_return,
    gain > 0 as is_winner,
    premium,
    regime
from trades
order by strategy, reserve, lot, part
