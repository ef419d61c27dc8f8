-- Every metric of a scenario over its whole period, and how it did against buy-and-hold and never buying.
-- Grain: strategy, reserve.
-- Sources: simulation_metrics, simulation_path_band, study, study_strategy, simulation_partition.
with
-- Buy-and-hold: the study's first strategy of that kind, where it can be compared with.
buy_and_hold as (
    select
        metrics.reserve,
        metrics.twr,
        stored.prices_version
    from simulation_metrics as metrics
    inner join simulation_partition as stored using (strategy, reserve)
    where
        stored.is_current
        and metrics.strategy = (
            select strategy from study_strategy where is_buy_and_hold order by position limit 1
        )
),

-- What a strategy does: its keys without those that name it or say what is kept of it, and apart from its variant.
rules as (
    select
        strategy,
        position,
        rule_variant,
        struct_update(
            keys, strategy := null, position := null, sweep := null, keep := null, rule_variant := null
        ) as others
    from study_strategy as keys
),

-- The study's first strategy that does the same but never buys.
without_buybacks as (
    select
        rules.strategy,
        arg_min(twin.strategy, twin.position) as twin
    from rules
    inner join rules as twin
        on rules.others is not distinct from twin.others
        and rules.rule_variant = 'full'
        and twin.rule_variant = 'ath_only'
    group by rules.strategy
),

never_buying as (
    select
        without_buybacks.strategy,
        metrics.reserve,
        metrics.twr,
        stored.prices_version
    from without_buybacks
    inner join simulation_metrics as metrics on without_buybacks.twin = metrics.strategy
    inner join simulation_partition as stored
        on metrics.strategy = stored.strategy
        and metrics.reserve = stored.reserve
    where stored.is_current
),

bands as (
    select
        strategy,
        reserve,
        min(final_value) as final_value_low,
        max(final_value) as final_value_high,
        min(twr) as twr_low,
        max(twr) as twr_high
    from simulation_path_band
    group by strategy, reserve
)

select
    metrics.strategy,
    metrics.reserve,
    metrics.first_session,
    metrics.last_session,
    metrics.is_of_a_year,
    metrics.final_value,
    metrics.total_return,
    metrics.twr,
    metrics.cagr,
    metrics.volatility,
    metrics.sharpe,
    metrics.sortino,
    metrics.max_drawdown,
    metrics.calmar,
    metrics.value_at_risk,
    metrics.conditional_value_at_risk,
    metrics.dividend_income,
    metrics.interest_income,
    metrics.harvest_gross,
    metrics.harvest_net,
    metrics.fees,
    metrics.trades,
    metrics.skipped_buys,
    metrics.passed_rungs,
    metrics.mean_cash_share,
    metrics.deposits,
    metrics.withdrawals,
    metrics.withdrawals_scheduled,
    metrics.coverage_gross,
    metrics.coverage_net,
    metrics.xirr,
    metrics.xirr_missing,
    metrics.taxes,
    metrics.after_tax_value,
    metrics.after_tax_liquidation_value,
    metrics.after_tax_cagr,
    metrics.after_tax_liquidation_cagr,
    per_year(metrics.withdrawals, metrics.last_session - metrics.first_session) as withdrawals_per_year,
    per_year(
        metrics.dividend_income + metrics.interest_income, metrics.last_session - metrics.first_session
    ) as dividends_and_interest_per_year,
    per_year(metrics.harvest_net, metrics.last_session - metrics.first_session) as harvest_net_per_year,
    paid_in_full(metrics.withdrawals, metrics.withdrawals_scheduled) as paid_in_full,
    case
        when stored.is_current
            then rank() over (
                partition by stored.is_current
                order by
                    paid_in_full desc,
                    judged(study.judge_by, metrics.cagr, metrics.sharpe, metrics.withdrawals, metrics.final_value)
                    desc nulls last,
                    metrics.twr desc nulls last
            )
    end as rank,
    metrics.twr - without_reserve.twr as excess_over_buy_and_hold,
    metrics.twr - same_reserve.twr as excess_over_same_reserve,
    metrics.twr - never_buying.twr as volatility_alpha,
    bands.final_value_low,
    bands.final_value_high,
    bands.twr_low,
    bands.twr_high,
    stored.prices_version,
    stored.is_current
from simulation_metrics as metrics
inner join simulation_partition as stored using (strategy, reserve)
cross join study
left join bands using (strategy, reserve)
left join buy_and_hold as without_reserve
    on without_reserve.reserve = 0
    and stored.prices_version = without_reserve.prices_version
    and stored.is_current
left join buy_and_hold as same_reserve
    on metrics.reserve = same_reserve.reserve
    and stored.prices_version = same_reserve.prices_version
    and stored.is_current
left join never_buying
    on metrics.strategy = never_buying.strategy
    and metrics.reserve = never_buying.reserve
    and stored.prices_version = never_buying.prices_version
    and stored.is_current
order by metrics.strategy, metrics.reserve
