-- The reserve question: what each cash reserve of a strategy returned and cost, with intervals from bootstrap samples.
-- Grain: strategy, reserve.
-- Sources: simulation_metrics, simulation_daily, simulation_income, simulation_partition, reserve_bootstrap, reserve_comparison, skipped_buy_cost, benchmark_daily, rates, study.
with
cash as (
    select
        daily.strategy,
        daily.reserve,
        daily.session,
        is_low_cash(daily.bank, daily.value) as is_low,
        lag(share_of_value(daily.bank, daily.value)) over (
            partition by daily.strategy, daily.reserve order by daily.session
        ) as share_before
    from simulation_daily as daily
),

drag as (
    select
        cash.strategy,
        cash.reserve,
        avg(cash.is_low::integer) as low_cash_share,
        -- What the bank would have earned in the benchmark instead, over the value.
        avg(cash.share_before * (benchmark.simple_return - rates.risk_free_return)) * study.periods_per_year
            as cash_drag_per_year
    from cash
    cross join study
    left join benchmark_daily as benchmark using (session)
    left join rates using (session)
    group by cash.strategy, cash.reserve, study.periods_per_year
),

months as (
    select
        income.strategy,
        income.reserve,
        income.income,
        -- Before the first month there is the capital.
        lag(daily.value, 1, stored.capital) over (
            partition by income.strategy, income.reserve order by income.month
        ) as value_before
    from simulation_income as income
    inner join simulation_partition as stored using (strategy, reserve)
    inner join simulation_daily as daily
        on income.strategy = daily.strategy
        and income.reserve = daily.reserve
        and income.last_session = daily.session
),

income as (
    select
        strategy,
        reserve,
        stddev_samp(income) as income_volatility,
        stddev_samp(share_of_value(income, value_before)) as income_variability,
        avg((income <= 0)::integer) as months_without_income
    from months
    group by strategy, reserve
),

-- Without a current ledger the refused purchases are unknown, so their cost is NULL rather than 0.
skipped as (
    select
        stored.strategy,
        stored.reserve,
        coalesce(sum(refusals.cost), 0) as skipped_buy_cost
    from simulation_partition as stored
    left join skipped_buy_cost as refusals using (strategy, reserve)
    where stored.keep = 'ledger' and stored.is_current
    group by stored.strategy, stored.reserve
),

intervals as (
    select
        strategy,
        reserve,
        count(history) as histories,
        any_value(block_length) as block_length,
        any_value(years) as years,
        interval_low(final_value) as final_value_low,
        median(final_value) as final_value_median,
        interval_high(final_value) as final_value_high,
        interval_low(twr) as twr_low,
        interval_high(twr) as twr_high,
        interval_low(xirr) as xirr_low,
        interval_high(xirr) as xirr_high,
        interval_low(sharpe) as sharpe_low,
        median(sharpe) as sharpe_median,
        interval_high(sharpe) as sharpe_high,
        interval_low(sortino) as sortino_low,
        interval_high(sortino) as sortino_high,
        interval_low(max_drawdown) as max_drawdown_low,
        median(max_drawdown) as max_drawdown_median,
        interval_high(max_drawdown) as max_drawdown_high,
        interval_low(income_per_year) as income_per_year_low,
        interval_high(income_per_year) as income_per_year_high,
        interval_low(income_volatility) as income_volatility_low,
        interval_high(income_volatility) as income_volatility_high,
        interval_low(months_without_income) as months_without_income_low,
        interval_high(months_without_income) as months_without_income_high,
        interval_low(coverage_gross) as coverage_gross_low,
        interval_high(coverage_gross) as coverage_gross_high,
        interval_low(coverage_net) as coverage_net_low,
        interval_high(coverage_net) as coverage_net_high,
        interval_low(skipped_buys) as skipped_buys_low,
        interval_high(skipped_buys) as skipped_buys_high,
        interval_low(mean_cash_share) as mean_cash_share_low,
        interval_high(mean_cash_share) as mean_cash_share_high,
        interval_low(low_cash_share) as low_cash_share_low,
        interval_high(low_cash_share) as low_cash_share_high
    from reserve_bootstrap
    group by strategy, reserve
),

next_levels as (
    select
        strategy,
        reserve,
        lead(reserve) over (partition by strategy order by reserve) as next_reserve
    from simulation_metrics
),

against_next as (
    select
        comparison.strategy,
        comparison.reserve,
        max(comparison.probability) filter (where comparison.measure = 'wealth') as wealth_beats_next,
        max(comparison.probability) filter (where comparison.measure = 'sharpe') as sharpe_beats_next,
        max(comparison.probability) filter (where comparison.measure = 'max_drawdown') as max_drawdown_beats_next
    from reserve_comparison as comparison
    inner join next_levels
        on comparison.strategy = next_levels.strategy
        and comparison.reserve = next_levels.reserve
        and comparison.other_reserve = next_levels.next_reserve
    group by comparison.strategy, comparison.reserve
)

select
    metrics.strategy,
    metrics.reserve,
    metrics.final_value,
    intervals.final_value_low,
    intervals.final_value_median,
    intervals.final_value_high,
    metrics.twr,
    intervals.twr_low,
    intervals.twr_high,
    metrics.xirr,
    intervals.xirr_low,
    intervals.xirr_high,
    metrics.sharpe,
    intervals.sharpe_low,
    intervals.sharpe_median,
    intervals.sharpe_high,
    metrics.sortino,
    intervals.sortino_low,
    intervals.sortino_high,
    metrics.max_drawdown,
    intervals.max_drawdown_low,
    intervals.max_drawdown_median,
    intervals.max_drawdown_high,
    metrics.income_per_year,
    intervals.income_per_year_low,
    intervals.income_per_year_high,
    income.income_volatility,
    intervals.income_volatility_low,
    intervals.income_volatility_high,
    income.income_variability,
    income.months_without_income,
    intervals.months_without_income_low,
    intervals.months_without_income_high,
    metrics.coverage_gross,
    intervals.coverage_gross_low,
    intervals.coverage_gross_high,
    metrics.coverage_net,
    intervals.coverage_net_low,
    intervals.coverage_net_high,
    metrics.skipped_buys,
    intervals.skipped_buys_low,
    intervals.skipped_buys_high,
    skipped.skipped_buy_cost,
    metrics.mean_cash_share,
    intervals.mean_cash_share_low,
    intervals.mean_cash_share_high,
    drag.cash_drag_per_year,
    drag.low_cash_share,
    intervals.low_cash_share_low,
    intervals.low_cash_share_high,
    next_levels.next_reserve,
    against_next.wealth_beats_next,
    against_next.sharpe_beats_next,
    against_next.max_drawdown_beats_next,
    intervals.histories,
    intervals.block_length,
    intervals.years
from simulation_metrics as metrics
inner join next_levels using (strategy, reserve)
left join drag using (strategy, reserve)
left join income using (strategy, reserve)
left join intervals using (strategy, reserve)
left join skipped using (strategy, reserve)
left join against_next using (strategy, reserve)
order by metrics.strategy, metrics.reserve
