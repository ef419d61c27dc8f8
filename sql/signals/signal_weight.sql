-- How much of each of its parts a blend takes.
-- Grain: session, signal, part.
-- Sources: lake.study_signal_part, signal_session, signal_single, forward_return.
with
decided as (
    select session from signal_session where is_decision
),

-- Places of values and of what followed a month later, doubled so that ties have whole ones.
placed as (
    select
        signal_single.session,
        signal_single.signal,
        forward_return.ended_session,
        rank() over by_value + count(signal_single.value) over by_value as value_place,
        rank() over by_return + count(forward_return.simple_return) over by_return as return_place
    from signal_single
    inner join forward_return using (session, ticker)
    where
        forward_return.horizon = 21
        and forward_return.simple_return is not null
        and signal_single.z is not null
        and signal_single.signal in (select part from lake.study_signal_part where weight is null)
    window
        by_value as (
            partition by signal_single.session, signal_single.signal order by signal_single.value
        ),
        by_return as (
            partition by signal_single.session, signal_single.signal order by forward_return.simple_return
        )
),

coefficients as (
    select
        session,
        signal,
        ended_session,
        rank_correlation(value_place, return_place) as coefficient
    from placed
    group by session, signal, ended_session
),

predicted as (
    select
        decided.session,
        coefficients.signal as part,
        list(coefficients.coefficient order by coefficients.session)[-36:] as known
    from decided
    inner join coefficients on decided.session >= coefficients.ended_session
    where coefficients.coefficient is not null
    group by decided.session, coefficients.signal
),

asked as (
    select
        decided.session,
        parts.signal,
        parts.position,
        parts.part,
        parts.weight,
        case
            when len(predicted.known) >= 24 and list_stddev_samp(predicted.known) > 1e-12
                then greatest(list_avg(predicted.known) / list_stddev_samp(predicted.known), 0)
            when true then 0
        end as ratio
    from decided
    cross join lake.study_signal_part as parts
    left join predicted using (session, part)
)

select
    session,
    signal,
    position,
    part,
    coalesce(
        weight,
        ratio / nullif(
            list_sum(
                list(ratio) over (
                    partition by session, signal order by position
                    rows between unbounded preceding and unbounded following
                )
            ),
            0
        )
    ) as weight
from asked
order by session, signal, part
