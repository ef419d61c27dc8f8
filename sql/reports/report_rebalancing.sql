-- When to rebalance: what each trigger made of a strategy, what it traded and cost, beside simply holding.
-- Grain: strategy, reserve.
-- Sources: report_strategy, study_strategy, simulation_partition, simulation_ledger, simulation_daily.
with
triggers as (
    select
        strategy,
        variant,
        coordination,
        rebalance_every,
        deviation,
        deviation_kind,
        volatility as volatility_level,
        volatility_window,
        band,
        band_kind,
        cash_low,
        cash_high,
        drift,
        premium_spread
    from study_strategy
    where
        -- Little cash alone makes purchases smaller and moves nothing back.
        coalesce(deviation, volatility, band, cash_high, drift, premium_spread) is not null
        or rebalance_every is not null
        or variant = 'buy_and_hold'
),

-- What kept no ledger traded nobody knows how much, which is not nothing.
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
    triggers.variant,
    triggers.coordination,
    triggers.rebalance_every,
    triggers.deviation,
    triggers.deviation_kind,
    triggers.volatility_level,
    triggers.volatility_window,
    triggers.band,
    triggers.band_kind,
    triggers.cash_low,
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
