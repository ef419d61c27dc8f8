-- Whether income is steadier where assets move less together at the same volatility: slopes through portfolios.
-- Grain: strategy, reserve.
-- Sources: income_subset, strategy_target.
with
whole as (
    select
        strategy,
        reserve,
        count(subset) as portfolios,
        max(assets) as assets,
        least_squares_slope(income_variability, average_correlation) as slope,
        partial_slope(income_variability, average_correlation, mean_volatility) as partial_slope,
        correlation(income_variability, average_correlation) as correlation,
        avg(income_variability) as mean_income_variability,
        min(average_correlation) as lowest_correlation,
        max(average_correlation) as highest_correlation
    from income_subset
    where income_variability is not null
    group by strategy, reserve
),

-- Portfolios are chosen from the assets of a strategy's first targets.
aimed_at as (
    select strategy, ticker
    from strategy_target
    where weight > 0
    qualify session = min(session) over (partition by strategy)
),

-- Portfolios share assets, so they are no independent observations; the assets are what could have been others.
without_one as (
    select
        income_subset.strategy,
        income_subset.reserve,
        aimed_at.ticker,
        least_squares_slope(income_subset.income_variability, income_subset.average_correlation) as slope,
        partial_slope(
            income_subset.income_variability, income_subset.average_correlation, income_subset.mean_volatility
        ) as partial_slope
    from aimed_at
    inner join income_subset
        on aimed_at.strategy = income_subset.strategy
        and not list_contains(string_split(income_subset.tickers, ', '), aimed_at.ticker)
    where income_subset.income_variability is not null
    group by income_subset.strategy, income_subset.reserve, aimed_at.ticker
),

jackknife as (
    select
        strategy,
        reserve,
        jackknife_error(slope) as standard_error,
        jackknife_error(partial_slope) as partial_standard_error
    from without_one
    group by strategy, reserve
),

bounds as (
    select
        whole.strategy,
        whole.reserve,
        whole.portfolios,
        whole.assets,
        whole.lowest_correlation,
        whole.highest_correlation,
        whole.mean_income_variability,
        whole.correlation,
        whole.slope,
        jackknife.standard_error,
        whole.slope - 2 * jackknife.standard_error as slope_low,
        whole.slope + 2 * jackknife.standard_error as slope_high,
        whole.partial_slope,
        jackknife.partial_standard_error,
        whole.partial_slope - 2 * jackknife.partial_standard_error as partial_slope_low,
        whole.partial_slope + 2 * jackknife.partial_standard_error as partial_slope_high
    from whole
    left join jackknife using (strategy, reserve)
)

select
    strategy,
    reserve,
    portfolios,
    assets,
    lowest_correlation,
    highest_correlation,
    mean_income_variability,
    correlation,
    slope,
    standard_error,
    slope_low,
    slope_high,
    partial_slope,
    partial_standard_error,
    partial_slope_low,
    partial_slope_high,
    -- Assets that move less together are often the more volatile ones, so the plain slope would measure volatility.
    case
        when partial_slope is null or partial_standard_error is null
            then
                'Too few portfolios that differ at the same volatility to say whether assets that move less together '
                || 'give steadier income.'
        -- Below 1e-12 a slope and its error are what rounding leaves of none.
        when partial_slope_low > 1e-12
            then 'At the same volatility, portfolios whose assets move less together had steadier income.'
        when partial_slope_high < -1e-12
            then 'At the same volatility, portfolios whose assets move less together had less steady income.'
        else
            'At the same volatility, the data do not show whether assets that move less together give steadier income.'
    end as verdict
from bounds
order by strategy, reserve
