-- Signals are known at the last session of each month, each signal of every asset, and at no other session.
-- table: signal
with
following as (
    select
        sessions.session,
        coalesce(lead(sessions.session) over (order by sessions.session), study.next_session) as next_session
    from sessions
    cross join study
),
expected as (
    select following.session, study_signal.signal, study_asset.ticker
    from following
    cross join study_signal
    cross join study_asset
    where month(following.session) <> month(following.next_session)
),
known as (
    -- Forecasts of boosted trees begin when there is enough to fit them to.
    select session, signal, ticker from signal where signal <> 'boosted'
)
select coalesce(expected.session, known.session) as session, coalesce(expected.signal, known.signal) as signal
from expected
full join known using (session, signal, ticker)
where expected.ticker is null or known.ticker is null
union all
select boosted.session, boosted.signal
from signal as boosted
left join following using (session)
where boosted.signal = 'boosted' and coalesce(month(boosted.session) = month(following.next_session), true)
