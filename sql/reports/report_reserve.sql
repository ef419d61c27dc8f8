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
        coalesce(daily.value, stored.capital) as value_before
    from simulation_income as income
    inner join simulation_partition as stored using (strategy, reserve)
    asof left join simulation_daily as daily
        on income.strategy = daily.strategy
        and income.reserve = daily.reserve
        and income.month > daily.session
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

-- What happened, where it is of the same prices and rules as the samples, and as long.
was as (
    select
        metrics.strategy,
        metrics.reserve,
        in_years(metrics.last_session - metrics.first_session) as years,
        metrics.final_value,
        metrics.twr,
        metrics.xirr,
        metrics.sharpe,
        metrics.sortino,
        metrics.max_drawdown,
        metrics.income_per_year,
        income.income_volatility,
        income.months_without_income,
        metrics.coverage_gross,
        metrics.coverage_net,
        metrics.skipped_buys,
        metrics.mean_cash_share,
        drag.low_cash_share
    from simulation_metrics as metrics
    inner join simulation_partition as stored using (strategy, reserve)
    left join income using (strategy, reserve)
    left join drag using (strategy, reserve)
    where stored.is_current
),

intervals as (
    select
        drawn.strategy,
        drawn.reserve,
        count(drawn.history) as histories,
        any_value(drawn.block_length) as block_length,
        any_value(drawn.years) as years,
        interval_low(drawn.final_value) as final_value_low,
        median(drawn.final_value) as final_value_median,
        interval_high(drawn.final_value) as final_value_high,
        percentile_among(drawn.final_value, was.final_value) as final_value_percentile,
        interval_low(drawn.twr) as twr_low,
        interval_high(drawn.twr) as twr_high,
        percentile_among(drawn.twr, was.twr) as twr_percentile,
        interval_low(drawn.xirr) as xirr_low,
        interval_high(drawn.xirr) as xirr_high,
        percentile_among(drawn.xirr, was.xirr) as xirr_percentile,
        interval_low(drawn.sharpe) as sharpe_low,
        median(drawn.sharpe) as sharpe_median,
        interval_high(drawn.sharpe) as sharpe_high,
        percentile_among(drawn.sharpe, was.sharpe) as sharpe_percentile,
        interval_low(drawn.sortino) as sortino_low,
        interval_high(drawn.sortino) as sortino_high,
        percentile_among(drawn.sortino, was.sortino) as sortino_percentile,
        interval_low(drawn.max_drawdown) as max_drawdown_low,
        median(drawn.max_drawdown) as max_drawdown_median,
        interval_high(drawn.max_drawdown) as max_drawdown_high,
        percentile_among(drawn.max_drawdown, was.max_drawdown) as max_drawdown_percentile,
        interval_low(drawn.income_per_year) as income_per_year_low,
        interval_high(drawn.income_per_year) as income_per_year_high,
        percentile_among(drawn.income_per_year, was.income_per_year) as income_per_year_percentile,
        interval_low(drawn.income_volatility) as income_volatility_low,
        interval_high(drawn.income_volatility) as income_volatility_high,
        percentile_among(drawn.income_volatility, was.income_volatility) as income_volatility_percentile,
        interval_low(drawn.months_without_income) as months_without_income_low,
        interval_high(drawn.months_without_income) as months_without_income_high,
        percentile_among(drawn.months_without_income, was.months_without_income) as months_without_income_percentile,
        interval_low(drawn.coverage_gross) as coverage_gross_low,
        interval_high(drawn.coverage_gross) as coverage_gross_high,
        percentile_among(drawn.coverage_gross, was.coverage_gross) as coverage_gross_percentile,
        interval_low(drawn.coverage_net) as coverage_net_low,
        interval_high(drawn.coverage_net) as coverage_net_high,
        percentile_among(drawn.coverage_net, was.coverage_net) as coverage_net_percentile,
        interval_low(drawn.skipped_buys) as skipped_buys_low,
        interval_high(drawn.skipped_buys) as skipped_buys_high,
        percentile_among(drawn.skipped_buys, was.skipped_buys) as skipped_buys_percentile,
        interval_low(drawn.mean_cash_share) as mean_cash_share_low,
        interval_high(drawn.mean_cash_share) as mean_cash_share_high,
        percentile_among(drawn.mean_cash_share, was.mean_cash_share) as mean_cash_share_percentile,
        interval_low(drawn.low_cash_share) as low_cash_share_low,
        interval_high(drawn.low_cash_share) as low_cash_share_high,
        percentile_among(drawn.low_cash_share, was.low_cash_share) as low_cash_share_percentile
    from reserve_bootstrap as drawn
    left join was
        on drawn.strategy = was.strategy
        and drawn.reserve = was.reserve
        and same_length(drawn.years, was.years)
    group by drawn.strategy, drawn.reserve
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
    intervals.final_value_percentile,
    metrics.twr,
    intervals.twr_low,
    intervals.twr_high,
    intervals.twr_percentile,
    metrics.xirr,
    intervals.xirr_low,
    intervals.xirr_high,
    intervals.xirr_percentile,
    metrics.sharpe,
    intervals.sharpe_low,
    intervals.sharpe_median,
    intervals.sharpe_high,
    intervals.sharpe_percentile,
    metrics.sortino,
    intervals.sortino_low,
    intervals.sortino_high,
    intervals.sortino_percentile,
    metrics.max_drawdown,
    intervals.max_drawdown_low,
    intervals.max_drawdown_median,
    intervals.max_drawdown_high,
    intervals.max_drawdown_percentile,
    metrics.income_per_year,
    intervals.income_per_year_low,
    intervals.income_per_year_high,
    intervals.income_per_year_percentile,
    income.income_volatility,
    intervals.income_volatility_low,
    intervals.income_volatility_high,
    intervals.income_volatility_percentile,
    income.income_variability,
    income.months_without_income,
    intervals.months_without_income_low,
    intervals.months_without_income_high,
    intervals.months_without_income_percentile,
    metrics.coverage_gross,
    intervals.coverage_gross_low,
    intervals.coverage_gross_high,
    intervals.coverage_gross_percentile,
    metrics.coverage_net,
    intervals.coverage_net_low,
    intervals.coverage_net_high,
    intervals.coverage_net_percentile,
    metrics.skipped_buys,
    intervals.skipped_buys_low,
    intervals.skipped_buys_high,
    intervals.skipped_buys_percentile,
    skipped.skipped_buy_cost,
    metrics.mean_cash_share,
    intervals.mean_cash_share_low,
    intervals.mean_cash_share_high,
    intervals.mean_cash_share_percentile,
    drag.cash_drag_per_year,
    drag.low_cash_share,
    intervals.low_cash_share_low,
    intervals.low_cash_share_high,
    intervals.low_cash_share_percentile,
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
