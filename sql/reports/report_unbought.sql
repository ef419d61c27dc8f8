-- Which assets the first purchases could not buy, since the least that can be bought costs more than the budget.
-- Grain: strategy, reserve, ticker.
-- Sources: simulation_partition, strategy_target, study_asset, study_strategy, simulation_ledger, prices, sessions.
with
planned as (
    select
        stored.strategy,
        stored.reserve,
        targets.ticker,
        targets.session as first_session,
        targets.weight,
        stored.capital * (1 - stored.reserve) * targets.weight as budget,
        prices.close as price,
        study_asset.lot_size,
        -- One lot and its fee; where fractions of a share trade, the fee alone.
        study_asset.lot_size * prices.close * (1 + study_strategy.costs_bps / 10000)
        + study_strategy.costs_fixed as lowest_cost
    from simulation_partition as stored
    inner join study_strategy using (strategy)
    inner join strategy_target as targets using (strategy)
    inner join study_asset using (ticker)
    inner join prices using (session, ticker)
    where
        stored.is_current
        and stored.keep = 'ledger'
        and targets.weight > 0
        and targets.session = (select min(session) from sessions)
),

purchases as (
    select
        strategy,
        reserve,
        ticker,
        min(session) as bought_on
    from simulation_ledger
    where quantity > 0
    group by strategy, reserve, ticker
)

select
    planned.strategy,
    planned.reserve,
    planned.ticker,
    planned.first_session,
    purchases.bought_on,
    planned.weight,
    planned.budget,
    planned.price,
    planned.lot_size,
    planned.lowest_cost
from planned
left join purchases using (strategy, reserve, ticker)
where
    planned.lowest_cost >= planned.budget
    and (purchases.bought_on is null or purchases.bought_on > planned.first_session)
order by planned.strategy, planned.reserve, planned.ticker
