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
    case
        when calendar = 'union' and exists (select session from sessions where isodow(session) >= 6) then 365
        else 252
    end::bigint as periods_per_year
from lake.study
order by name
