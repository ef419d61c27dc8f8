-- Whether income is steadier where assets move less together: the slope through portfolios of some of the assets.
-- Grain: strategy, reserve.
-- Sources: income_subset, study_asset.
with
whole as (
    select
        strategy,
        reserve,
        count(subset) as portfolios,
        max(assets) as assets,
        regr_slope(income_variability, average_correlation) as slope,
        corr(income_variability, average_correlation) as correlation,
        avg(income_variability) as mean_income_variability,
        min(average_correlation) as lowest_correlation,
        max(average_correlation) as highest_correlation
    from income_subset
    where income_variability is not null
    group by strategy, reserve
),

-- Portfolios share assets, so they are no independent observations; the assets are what could have been others.
without_one as (
    select
        income_subset.strategy,
        income_subset.reserve,
        study_asset.ticker,
        regr_slope(income_subset.income_variability, income_subset.average_correlation) as slope
    from study_asset
    inner join income_subset on not list_contains(string_split(income_subset.tickers, ', '), study_asset.ticker)
    where study_asset.weight > 0 and income_subset.income_variability is not null
    group by income_subset.strategy, income_subset.reserve, study_asset.ticker
),

jackknife as (
    select
        strategy,
        reserve,
        -- Delete-one jackknife: (n - 1) / n x the sum of squares around the mean.
        sqrt((count(slope) - 1) * var_pop(slope)) as standard_error
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
        whole.slope + 2 * jackknife.standard_error as slope_high
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
    case
        when slope is null or standard_error is null
            then 'Too few portfolios that differ to say whether assets that move less together give steadier income.'
        when slope_low > 0 then 'Portfolios whose assets move less together had steadier income.'
        when slope_high < 0 then 'Portfolios whose assets move less together had less steady income.'
        else 'The data cannot tell whether assets that move less together give steadier income.'
    end as verdict
from bounds
order by strategy, reserve
