-- When to rebalance: returns, trades and costs of strategies that do, by their triggers.
-- Grain: strategy, reserve.
-- Sources: report_strategy, study_strategy, simulation_partition, simulation_ledger, simulation_daily.
with
triggers as (
    select
        strategy,
        rule_variant,
        rebalance_every,
        rebalance_deviation_width,
        rebalance_deviation_kind,
        rebalance_volatility_level,
        rebalance_volatility_window,
        rebalance_on_change,
        rebalance_patience_sessions,
        rebalance_patience_mean,
        coalesce(band_width, band_default_width) as band_width,
        coalesce(band_kind, band_default_kind) as band_kind,
        band_edges,
        rule_cash_low,
        cash_high,
        drift,
        premium_spread
    from study_strategy
    where
        -- Little cash alone makes purchases smaller and moves nothing back.
        coalesce(rebalance_deviation_width, rebalance_volatility_level, band_width, cash_high, drift, premium_spread)
        is not null
        or coalesce(rebalance_every, band_edges) is not null
        or rebalance_on_change
),

-- Without a ledger the traded amount is unknown, so it is NULL rather than 0.
kept as (
    select
        strategy,
        reserve
    from triggers
    inner join simulation_partition as stored using (strategy)
    where stored.keep = 'ledger'
),

traded as (
    select
        kept.strategy,
        kept.reserve,
        count(ledger.quantity) filter (where ledger.kind in ('REBALANCE_BUY', 'REBALANCE_SELL')) as rebalancing_trades,
        count(ledger.quantity) filter (where ledger.kind = 'DEPLOY_BUY') as deploy_buys,
        count(ledger.quantity) filter (where ledger.kind = 'PROFIT_SELL') as profit_sells,
        coalesce(
            sum(ledger.fee) filter (
                where ledger.kind in ('REBALANCE_BUY', 'REBALANCE_SELL', 'DEPLOY_BUY', 'PROFIT_SELL')
            ),
            0
        ) as rebalancing_fees,
        coalesce(sum(abs(ledger.quantity * ledger.price)) filter (where ledger.kind <> 'INITIAL_BUY'), 0) as worth
    from kept
    left join simulation_ledger as ledger using (strategy, reserve)
    group by kept.strategy, kept.reserve
),

held as (
    select
        strategy,
        reserve,
        avg(daily.value) as mean_value
    from kept
    inner join simulation_daily as daily using (strategy, reserve)
    group by strategy, reserve
)

select
    report_strategy.strategy,
    report_strategy.reserve,
    triggers.rule_variant,
    triggers.rebalance_every,
    triggers.rebalance_deviation_width,
    triggers.rebalance_deviation_kind,
    triggers.rebalance_volatility_level,
    triggers.rebalance_volatility_window,
    triggers.rebalance_on_change,
    triggers.rebalance_patience_sessions,
    triggers.rebalance_patience_mean,
    triggers.band_width,
    triggers.band_kind,
    triggers.band_edges,
    triggers.rule_cash_low,
    triggers.cash_high,
    triggers.drift,
    triggers.premium_spread,
    traded.rebalancing_trades,
    traded.deploy_buys,
    traded.profit_sells,
    traded.rebalancing_fees,
    report_strategy.trades,
    report_strategy.fees,
    turnover(traded.worth, held.mean_value, report_strategy.last_session - report_strategy.first_session) as turnover,
    report_strategy.twr,
    report_strategy.cagr,
    report_strategy.volatility,
    report_strategy.sharpe,
    report_strategy.max_drawdown,
    report_strategy.excess_over_same_reserve
from report_strategy
inner join triggers using (strategy)
left join traded using (strategy, reserve)
left join held using (strategy, reserve)
-- Outdated scenarios are not compared with others.
where report_strategy.is_current
order by report_strategy.strategy, report_strategy.reserve
