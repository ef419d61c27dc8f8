-- The regime that was known when each session began, and the uninterrupted run of it that the session belongs to.
-- Grain: session.
-- Sources: market_regime.
with
known as (
    select
        session,
        lag(regime) over (order by session) as regime
    from market_regime
),

changes as (
    select
        session,
        regime,
        regime is distinct from lag(regime) over (order by session) as is_change
    from known
)

select
    session,
    regime,
    (sum(is_change::integer) over (order by session))::bigint as episode
from changes
order by session
