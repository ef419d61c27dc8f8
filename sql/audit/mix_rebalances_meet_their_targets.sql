-- Where trades cost nothing and nothing else trades, holdings are the weights of a mix once these are in force.
-- table: simulation_holdings
with
plain as (
    select study_strategy.strategy
    from study_strategy
    cross join study
    where
        study_strategy.allocation_mix is not null
        and study_strategy.rebalance_on_change
        and study_strategy.costs_bps = 0
        and study_strategy.costs_fixed = 0
        -- What trades besides, or keeps a trade from being made whole.
        and coalesce(study_strategy.rule_sd_n, study_strategy.rule_bracket) is null
        and coalesce(study_strategy.band_width, study_strategy.band_default_width) is null
        and coalesce(study_strategy.band_edges, study_strategy.harvest_every) is null
        and coalesce(study_strategy.cash_high, study_strategy.drift, study_strategy.premium_spread) is null
        and coalesce(study_strategy.rebalance_cost_aware_min_trade, study_strategy.rebalance_cost_aware_max_cost) is null
        and study_strategy.rebalance_patience_sessions is null
        and coalesce(study_strategy.withdrawals_amount, study_strategy.withdrawals_rate) is null
        and study.deposit_amount is null
        and study.deposit_on is null
        and not exists (select study_asset.lot_size from study_asset where study_asset.lot_size > 0)
),
-- Sessions on which every asset could be traded.
open as (
    select session
    from prices
    group by session
    having count(close) = (select count(study_asset.ticker) from study_asset)
),
aimed_at as (
    select strategy_target.strategy, strategy_target.session, strategy_target.ticker, strategy_target.weight
    from strategy_target
    inner join plain using (strategy)
    inner join open using (session)
)
select
    aimed_at.strategy,
    simulation_partition.reserve,
    aimed_at.session,
    aimed_at.ticker,
    holdings.weight,
    aimed_at.weight * (1 - simulation_partition.reserve) as expected_weight
from aimed_at
inner join simulation_partition using (strategy)
left join simulation_holdings as holdings using (strategy, reserve, session, ticker)
where
    -- A scenario on older prices followed other weights.
    simulation_partition.is_current
    and simulation_partition.keep = 'ledger'
    and abs(coalesce(holdings.weight, 0) - aimed_at.weight * (1 - simulation_partition.reserve)) > 1e-9
