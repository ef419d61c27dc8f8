-- Portfolios of some of the assets: correlation and volatility of the assets, and variability of the income.
-- Grain: subset.
-- Sources: lake.income_subset.
select
    subset,
    strategy,
    reserve,
    array_to_string(tickers, ', ') as tickers,
    len(tickers) as assets,
    average_correlation,
    mean_volatility,
    income_variability
from lake.income_subset
order by subset
