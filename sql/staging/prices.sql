-- Bars and dividends of the universe and the benchmark, split-adjusted and not dividend-adjusted.
-- Grain: session, ticker.
-- Sources: lake.prices.
select
    session,
    ticker,
    open,
    high,
    low,
    close,
    dividend
from lake.prices
order by session, ticker
