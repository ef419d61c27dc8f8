-- How round trips of a scenario turned out, by how long they took.
-- Grain: strategy, reserve, holding_period.
-- Sources: attribution_trade.
select
    strategy,
    reserve,
    holding_period,
    count(lot) as trades,
    count(lot) filter (where gain > 0) as winners,
    count(lot) filter (where gain < 0) as losers,
    sum(gain) as gain,
    win_rate(gain) as win_rate,
    avg(gain) filter (where gain > 0) as average_win,
    avg(gain) filter (where gain < 0) as average_loss,
    profit_factor(gain) as profit_factor,
    avg(trade_return) as mean_return,
    avg(holding_days) as mean_holding_days
from attribution_trade
group by strategy, reserve, holding_period
order by strategy, reserve, holding_period
