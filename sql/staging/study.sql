-- The study that the warehouse was built for, a single row.
-- Grain: name.
-- Sources: lake.study, sessions.
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
    -- Two days in seven are weekend where sessions are held on all of them; a lone special Saturday changes no year.
    case
        when
            calendar in ('union', 'intersection')
            and (select avg((isodow(session) >= 6)::integer) from sessions) > 0.1
            then 365
        else 252
    end::bigint as periods_per_year
from lake.study
order by name
