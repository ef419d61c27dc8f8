-- A correlation of hourly closes lies within its interval, or a reason says why there is none; each pair has all lengths.
-- table: correlation_frequency
select
    frequency,
    ticker_a,
    ticker_b,
    correlation,
    correlation_low,
    correlation_high,
    missing
from correlation_frequency
qualify
    (missing is null) <> (correlation is not null)
    or exceeds(correlation_low, correlation)
    or exceeds(correlation, correlation_high)
    or ticker_a >= ticker_b
    or count(frequency) over (partition by ticker_a, ticker_b) <> 4
