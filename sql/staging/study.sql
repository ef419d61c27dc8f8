-- The study that the warehouse was built for, a single row.
-- Grain: name.
-- Sources: lake.study.
select
    name,
    source,
    start_date,
    end_date,
    calendar,
    capital,
    currency,
    benchmark,
    risk_free,
    deposit_amount,
    deposit_every,
    tax_short_term,
    tax_long_term,
    tax_dividends,
    tax_interest,
    periods_per_year
from lake.study
order by name
