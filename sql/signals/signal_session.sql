-- Sessions in studies with signals, which of them end a month, and what cash and benchmark came to.
-- Grain: session.
-- Sources: sessions, rates, benchmark_daily, study, lake.study_signal.
with
followed as (
    select
        sessions.session,
        row_number() over (order by sessions.session) as number,
        -- After the last session it is the calendar that knows; without one it may not be the last of its month.
        coalesce(lead(sessions.session) over (order by sessions.session), study.next_session) as next_session
    from sessions
    cross join study
    where exists (select signal from lake.study_signal)
)

select
    followed.session,
    followed.number,
    coalesce(date_trunc('month', followed.session) <> date_trunc('month', followed.next_session), false) as is_decision,
    sum(log_growth(rates.risk_free_return)) over (order by followed.session)::double as log_cash,
    -- Before the first close there is nothing to compare with.
    case
        when benchmark_daily.level is not null
            then sum(log_growth(coalesce(benchmark_daily.simple_return, 0))) over (order by followed.session)::double
    end as log_benchmark
from followed
inner join rates using (session)
inner join benchmark_daily using (session)
order by followed.session
