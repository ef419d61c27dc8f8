-- The risk-free rate of every session, what cash earned since the session before, and how far consumer prices rose.
-- Grain: session.
-- Sources: lake.rates.
select
    session,
    rate,
    risk_free_return,
    price_index
from lake.rates
order by session
