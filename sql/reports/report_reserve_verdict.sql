-- Which reserve of a strategy did best by each measure, and whether it is significantly better than the others.
-- Grain: strategy, measure.
-- Sources: reserve_measure, reserve_comparison.
with
medians as (
    select
        strategy,
        measure,
        reserve,
        median(score) as median_score
    from reserve_measure
    group by strategy, measure, reserve
),

best as (
    select
        strategy,
        measure,
        -- The smaller reserve where two have the same median.
        arg_max(reserve, (median_score, -reserve)) as best_reserve,
        max(median_score) as median_score,
        min(reserve) as lowest_reserve,
        max(reserve) as highest_reserve,
        count(reserve) as levels
    from medians
    group by strategy, measure
),

rivals as (
    select
        comparison.strategy,
        comparison.measure,
        comparison.other_reserve as reserve,
        comparison.probability
    from reserve_comparison as comparison
    inner join best
        on comparison.strategy = best.strategy
        and comparison.measure = best.measure
        and comparison.reserve = best.best_reserve
),

close_rivals as (
    select
        strategy,
        measure,
        min(probability) as least_probability,
        count(reserve) filter (where not is_significant(probability)) as rivals,
        string_agg(percent_text(reserve), ', ' order by reserve) filter (where not is_significant(probability))
            as indistinguishable
    from rivals
    group by strategy, measure
),

verdicts as (
    select
        best.strategy,
        best.measure,
        best.best_reserve,
        best.median_score,
        close_rivals.least_probability,
        coalesce(close_rivals.rivals, 0) as rivals,
        close_rivals.indistinguishable,
        -- Beyond 0 there is nothing to search, so only the upper end of the range is an edge.
        best.levels > 1 and best.best_reserve = best.highest_reserve as is_at_edge,
        best.levels
    from best
    left join close_rivals using (strategy, measure)
)

select
    strategy,
    measure,
    best_reserve,
    median_score,
    least_probability,
    rivals,
    is_at_edge,
    case
        when levels = 1 then 'Only one reserve was simulated, so there is nothing to compare.'
        when rivals > 0
            then 'The best median is at ' || percent_text(best_reserve) || ', but it is not significantly better than '
            || indistinguishable || '.'
        else 'The best is ' || percent_text(best_reserve) || ': it beat every other level in '
            || case when least_probability < 1 then 'at least ' || percent_text(least_probability) || ' of' else 'all' end
            || ' the bootstrap samples.'
    end
    || case
        when is_at_edge then ' It is the highest level simulated, so a better one may lie beyond.' else ''
    end as verdict
from verdicts
order by strategy, measure
