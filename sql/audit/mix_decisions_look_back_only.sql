-- A mix decides on prices up to a session for the one that comes next: at the last one of a period, or where it switches.
-- table: mix_fit
with
following as (
    select session, lead(session) over (order by session) as next_session
    from sessions
)
select
    mix_fit.mix,
    mix_fit.decided_session,
    mix_fit.last_seen_session,
    mix_fit.effective_session,
    following.next_session
from mix_fit
left join following on mix_fit.decided_session = following.session
inner join study_mix using (mix)
cross join study
where
    following.session is null
    or mix_fit.last_seen_session <> mix_fit.decided_session
    or mix_fit.effective_session is distinct from following.next_session
    or (mix_fit.trigger = 'switch')
    <> (
        date_trunc(study_mix.every, mix_fit.decided_session)
        is not distinct from date_trunc(study_mix.every, coalesce(following.next_session, study.next_session))
    )
