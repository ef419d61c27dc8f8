-- The sessions on which the study trades.
-- Grain: session.
-- Sources: lake.sessions.
select session
from lake.sessions
order by session
