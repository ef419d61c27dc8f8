-- What the capital came to where it was deployed at the start of a year, after 1, 3 and 5 years.
-- Grain: strategy, reserve, year.
-- Sources: start_date_outcome.
select
    strategy,
    reserve,
    year(start_session) as year,
    start_session,
    value_1y,
    gain_1y,
    twr_1y,
    drawdown_1y,
    value_3y,
    gain_3y,
    twr_3y,
    drawdown_3y,
    value_5y,
    gain_5y,
    twr_5y,
    drawdown_5y
from start_date_outcome
-- With starts each month there are others in a year.
qualify row_number() over (partition by strategy, reserve, year(start_session) order by start_session) = 1
order by strategy, reserve, year
