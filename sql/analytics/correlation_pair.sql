-- The correlation of every two assets' log returns, by several windows and estimators. Capped: with more than 50 assets only the window of 63 sessions, at ends of quarters.
-- Grain: session, frequency, estimator, window, ticker_a, ticker_b.
-- Sources: lake.correlation_pair.
select
    session,
    frequency,
    estimator,
    "window"::bigint as "window",
    ticker_a,
    ticker_b,
    correlation,
    observations::bigint as observations
from lake.correlation_pair
order by session, frequency, estimator, "window", ticker_a, ticker_b
