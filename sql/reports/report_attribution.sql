-- Profit of every asset, and of the bank, over the whole period, with its round trips.
-- Grain: strategy, reserve, ticker.
-- Sources: attribution_asset, attribution_trade, simulation_lots, asset_returns.
with
assets as (
    select
        strategy,
        reserve,
        ticker,
        sum(price_gain) as price_gain,
        sum(income) as income,
        sum(costs) as costs,
        sum(profit) as profit,
        sum(linked_contribution) as contribution
    from attribution_asset
    group by strategy, reserve, ticker
),

trades as (
    select
        strategy,
        reserve,
        ticker,
        sum(gain) as realised_buyback_gain,
        count(lot) filter (where gain > 0) as winners,
        count(lot) filter (where gain < 0) as losers,
        win_rate(gain) as win_rate,
        avg(gain) filter (where gain > 0) as average_win,
        avg(gain) filter (where gain < 0) as average_loss,
        profit_factor(gain) as profit_factor,
        max(gain) as best_trade,
        min(gain) as worst_trade,
        avg(holding_days) as mean_holding_days
    from attribution_trade
    group by strategy, reserve, ticker
),

last_prices as (
    select ticker, arg_max(price, session) as price
    from asset_returns
    group by ticker
),

open_lots as (
    select
        lots.strategy,
        lots.reserve,
        lots.ticker,
        sum(lots.quantity * (last_prices.price - lots.price)) as unrealised_buyback_gain
    from simulation_lots as lots
    inner join last_prices using (ticker)
    where lots.closed is null
    group by lots.strategy, lots.reserve, lots.ticker
)

select
    assets.strategy,
    assets.reserve,
    assets.ticker,
    assets.price_gain,
    assets.income,
    assets.costs,
    assets.profit,
    assets.contribution,
    coalesce(trades.realised_buyback_gain, 0) as realised_buyback_gain,
    coalesce(open_lots.unrealised_buyback_gain, 0) as unrealised_buyback_gain,
    coalesce(trades.winners, 0) as winners,
    coalesce(trades.losers, 0) as losers,
    trades.win_rate,
    trades.average_win,
    trades.average_loss,
    trades.profit_factor,
    trades.best_trade,
    trades.worst_trade,
    trades.mean_holding_days
from assets
left join trades using (strategy, reserve, ticker)
left join open_lots using (strategy, reserve, ticker)
order by assets.strategy, assets.reserve, assets.ticker
