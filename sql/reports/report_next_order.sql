-- Tomorrow's rungs: where the rule of every scenario trades next, how much, and what prevents it.
-- Grain: strategy, reserve, ticker, side.
-- Sources: lake.simulation_orders, simulation_partition, simulation_daily, study_strategy, asset_returns, study.
select
    orders.strategy,
    orders.reserve,
    orders.session,
    study.next_session,
    orders.ticker,
    orders.side,
    orders.limit_price,
    orders.quantity,
    orders.quantity * orders.limit_price as value,
    orders.fee,
    case when orders.side = 'sell' then 1 else -1 end * orders.quantity * orders.limit_price - orders.fee as amount,
    asset_returns.price as close,
    orders.limit_price / asset_returns.price - 1 as distance,
    daily.bank + coalesce(study_strategy.rule_margin_limit, 0) * daily.value as spendable,
    orders.restraint
from lake.simulation_orders as orders
inner join simulation_partition as stored using (strategy, reserve)
inner join study_strategy using (strategy)
inner join simulation_daily as daily using (strategy, reserve, session)
inner join asset_returns using (session, ticker)
cross join study
-- The last session of others is not today's.
where stored.is_current
order by orders.strategy, orders.reserve, orders.ticker, orders.side
