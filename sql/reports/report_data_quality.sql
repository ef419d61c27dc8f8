-- Findings about the prices, and what must be known to read the results.
-- Grain: ticker, rule, first_session, detail.
-- Sources: lake.price_findings.
select
    ticker,
    rule,
    first_session,
    last_session,
    sessions::bigint as sessions,
    detail
from lake.price_findings
-- What concerns the study as a whole comes first.
order by ticker nulls first, rule, first_session, detail
