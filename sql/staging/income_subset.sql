-- Portfolios of some of the assets: how much these move together and by themselves, and how variable the income is.
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
