-- Since when a strategy on paper is out of sample, its return since, and what was decided otherwise.
-- Grain: strategy, reserve.
-- Sources: paper_decision, paper_change, simulation_partition, simulation_returns.
with
frozen as (
    select
        strategy,
        reserve,
        count(distinct decided_session) as decisions,
        count(distinct decided_session) filter (where in_time) as in_time,
        min(next_session) filter (where in_time) as out_of_sample_from
    from paper_decision
    group by strategy, reserve
),

changed as (
    select
        strategy,
        reserve,
        count(distinct decided_session) as decisions
    from paper_change
    group by strategy, reserve
),

since as (
    select
        frozen.strategy,
        frozen.reserve,
        count(simulation_returns.session) as sessions,
        product(growth_factor(simulation_returns.simple_return)) - 1 as twr
    from frozen
    inner join simulation_returns using (strategy, reserve)
    where simulation_returns.session >= frozen.out_of_sample_from
    group by frozen.strategy, frozen.reserve
)

select
    frozen.strategy,
    frozen.reserve,
    frozen.decisions,
    frozen.in_time,
    case when stored.is_current then coalesce(changed.decisions, 0) end as changed,
    frozen.out_of_sample_from,
    coalesce(since.sessions, 0) as sessions,
    since.twr
from frozen
left join simulation_partition as stored using (strategy, reserve)
left join changed using (strategy, reserve)
left join since using (strategy, reserve)
order by frozen.strategy, frozen.reserve
