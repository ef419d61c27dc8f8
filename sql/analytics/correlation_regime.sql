-- Whether the average correlation is low, normal or high by what was known of it at each session.
-- Grain: session.
-- Sources: correlation_summary, lake.correlation_state.
with
rules as (
    -- A year of averages, before which a tercile says little.
    select 252 as fewest_averages
),

terciles as (
    select
        summary.session,
        summary.average_correlation,
        case
            when count(summary.average_correlation) over so_far >= rules.fewest_averages
                then quantile_cont(summary.average_correlation, [1 / 3, 2 / 3]) over so_far
        end as bounds
    from correlation_summary as summary
    cross join rules
    window so_far as (order by summary.session rows between unbounded preceding and current row)
),

tags as (
    select
        session,
        average_correlation,
        bounds[1] as lower_tercile,
        bounds[2] as upper_tercile,
        case
            when average_correlation is null or bounds is null then null
            when average_correlation < bounds[1] then 'low'
            when average_correlation > bounds[2] then 'high'
            else 'normal'
        end as regime
    from terciles
)

select
    tags.session,
    tags.average_correlation,
    tags.lower_tercile,
    tags.upper_tercile,
    tags.regime,
    coalesce(
        tags.regime <> lag(tags.regime ignore nulls) over (order by tags.session),
        false
    ) as is_switch,
    correlation_state.high_correlation_probability
from tags
left join lake.correlation_state using (session)
order by tags.session
