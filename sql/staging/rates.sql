-- The risk-free rate of every session, and what cash earned since the session before.
-- Grain: session.
-- Sources: lake.rates.
select
    session,
    rate,
    risk_free_return
from lake.rates
order by session
