-- Portfolios of some of the assets: how much their assets move together, and how variable their income is.
-- Grain: subset.
-- Sources: lake.income_subset.
select
    subset,
    strategy,
    reserve,
    array_to_string(tickers, ', ') as tickers,
    len(tickers) as assets,
    average_correlation,
    income_variability
from lake.income_subset
order by subset
