-- Stretches of stress: the benchmark's five deepest drawdowns, and the windows that the study names.
-- Grain: episode.
-- Sources: benchmark_daily, sessions, study_stress_window.
with
falls as (
    select
        session,
        drawdown(level, max(level) over (order by session)) as drawdown
    from benchmark_daily
    where level is not null
),

-- The sessions under water that follow a peak share its number.
numbered as (
    select
        session,
        drawdown,
        count(session) filter (where not is_under_water(drawdown)) over (order by session) as peak
    from falls
),

drawdowns as (
    select
        min(session) as first_session,
        -- Of several that are as deep the first.
        arg_min(session, {'drawdown': drawdown, 'session': session}) as last_session,
        row_number() over (order by min(drawdown), min(session)) as position
    from numbered
    group by peak
    having is_under_water(min(drawdown))
    qualify position <= 5
),

study_ends as (
    select
        min(session) as first_session,
        max(session) as last_session
    from sessions
),

-- From the close of the last session up to its first date, as a return over it counts from there.
windows as (
    select
        named.episode,
        named.position,
        coalesce(
            max(sessions.session) filter (where sessions.session <= named.from_date), study_ends.first_session
        ) as first_session,
        max(sessions.session) as last_session,
        named.from_date >= study_ends.first_session and named.to_date <= study_ends.last_session as is_whole
    from study_stress_window as named
    cross join study_ends
    left join sessions on named.to_date >= sessions.session
    group by
        named.episode, named.position, named.from_date, named.to_date, study_ends.first_session, study_ends.last_session
),

episodes as (
    select
        'drawdown_' || position as episode,
        'drawdown' as kind,
        position,
        first_session,
        last_session,
        true as is_whole
    from drawdowns
    union all
    select
        episode,
        'window' as kind,
        position,
        case when last_session > first_session then first_session end as first_session,
        case when last_session > first_session then last_session end as last_session,
        case when last_session > first_session then is_whole end as is_whole
    from windows
),

within as (
    select
        episodes.episode,
        benchmark.session,
        benchmark.level,
        max(benchmark.level) over (partition by episodes.episode order by benchmark.session) as highest
    from episodes
    inner join benchmark_daily as benchmark
        on benchmark.session between episodes.first_session and episodes.last_session
),

measured as (
    select
        episodes.episode,
        count(within.session) - 1 as sessions,
        any_value(within.level) filter (where within.session = episodes.first_session) as first_level,
        any_value(within.level) filter (where within.session = episodes.last_session) as last_level,
        min(within.level / within.highest - 1) as deepest
    from episodes
    inner join within using (episode)
    group by episodes.episode
),

recovered as (
    select
        episodes.episode,
        min(later.session) as session
    from episodes
    inner join measured using (episode)
    inner join benchmark_daily as later
        on episodes.last_session <= later.session
        and not is_under_water(later.level / measured.first_level - 1)
    group by episodes.episode
)

select
    episodes.episode,
    episodes.kind,
    episodes.position,
    episodes.first_session,
    episodes.last_session,
    measured.sessions,
    episodes.is_whole,
    measured.last_level / measured.first_level - 1 as benchmark_return,
    case when measured.first_level is not null then measured.deepest end as benchmark_drawdown,
    recovered.session as recovery_session,
    case when measured.episode is null then 'no session of the study lies in it' end as missing
from episodes
left join measured using (episode)
left join recovered using (episode)
order by episodes.episode
