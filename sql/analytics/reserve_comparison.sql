-- Every reserve of a strategy against every other in the same bootstrap samples: how often it did better, and by how much.
-- Grain: strategy, measure, reserve, other_reserve.
-- Sources: reserve_measure, sessions.
with
span as (
    select in_years(max(session) - min(session)) as years
    from sessions
),

-- Pairs of reserves are many: of strategies that were never resampled there is nothing to compare.
measured as (
    select strategy, measure, reserve, history, years, score
    from reserve_measure
    where strategy in (select strategy from reserve_measure where history > 0)
),

differences as (
    select
        one.strategy,
        one.measure,
        one.reserve,
        other.reserve as other_reserve,
        one.history,
        one.years,
        case
            when one.measure = 'wealth' then yearly_lead(one.score, other.score, one.years)
            else one.score - other.score
        end as difference
    from measured as one
    inner join measured as other
        on one.strategy = other.strategy
        and one.measure = other.measure
        and one.history = other.history
        and one.reserve <> other.reserve
),

sampled as (
    select
        strategy,
        measure,
        reserve,
        other_reserve,
        interval_low(difference) as difference_low,
        median(difference) as difference_median,
        interval_high(difference) as difference_high,
        1 - percentile_among(difference, 0) as probability,
        paired_p_value(difference) as p_value,
        count(difference) as histories,
        any_value(years) as years
    from differences
    where history > 0
    group by strategy, measure, reserve, other_reserve
)

select
    sampled.strategy,
    sampled.measure,
    sampled.reserve,
    sampled.other_reserve,
    unit_of_measure(sampled.measure) as unit,
    actual.difference as actual_difference,
    sampled.difference_low,
    sampled.difference_median,
    sampled.difference_high,
    sampled.probability,
    -- Samples that are longer than the history repeat it, and look surer than it is.
    case when sampled.years < span.years or same_length(sampled.years, span.years) then sampled.p_value end as p_value,
    sampled.histories
from sampled
cross join span
left join differences as actual
    on sampled.strategy = actual.strategy
    and sampled.measure = actual.measure
    and sampled.reserve = actual.reserve
    and sampled.other_reserve = actual.other_reserve
    and actual.history = 0
order by sampled.strategy, sampled.measure, sampled.reserve, sampled.other_reserve
