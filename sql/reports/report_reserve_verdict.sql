-- Which reserve of a strategy did best by each measure, by how much, and whether the bootstrap samples are enough to say so.
-- Grain: strategy, measure.
-- Sources: reserve_measure, reserve_comparison, study, study_strategy.
with
compared as (
    select
        levels.strategy,
        levels.measure,
        -- Without a rule, cash dilutes the holdings and does nothing else to risk and its reward.
        parts.rule_variant is null and levels.measure <> 'wealth' as is_mechanical,
        max(levels.reserve) as highest_reserve,
        case levels.measure
            when 'wealth' then study.smallest_difference_wealth
            when 'sharpe' then study.smallest_difference_sharpe
            else study.smallest_difference_max_drawdown
        end as smallest_difference
    from reserve_measure as levels
    inner join study_strategy as parts using (strategy)
    cross join study
    where levels.history > 0
    group by all
),

-- A level is as good as it is against the one that it beat least often.
least as (
    select
        strategy,
        measure,
        reserve,
        min(probability) as least_probability
    from reserve_comparison
    group by strategy, measure, reserve
),

best as (
    select
        strategy,
        measure,
        -- The smaller reserve where two are as good.
        arg_max(reserve, (least_probability, -reserve)) as best_reserve
    from least
    group by strategy, measure
),

against_rival as (
    select
        comparison.strategy,
        comparison.measure,
        comparison.reserve,
        comparison.other_reserve,
        comparison.probability,
        comparison.actual_difference,
        comparison.difference_low,
        comparison.difference_median,
        comparison.difference_high,
        comparison.histories
    from reserve_comparison as comparison
    inner join best
        on comparison.strategy = best.strategy
        and comparison.measure = best.measure
        and comparison.reserve = best.best_reserve
    inner join compared
        on comparison.strategy = compared.strategy
        and comparison.measure = compared.measure
        and not compared.is_mechanical
    qualify row_number() over (
        partition by comparison.strategy, comparison.measure
        order by comparison.probability, comparison.difference_median, comparison.other_reserve
    ) = 1
),

-- To be the best it has to beat every rival, so the largest of its p-values is that of the verdict.
tested as (
    select
        strategy,
        measure,
        max(p_value) as p_value,
        row_number() over (order by max(p_value), strategy, measure) as place,
        count(strategy) over () as verdicts
    from reserve_comparison
    where
        p_value is not null
        and (strategy, measure, reserve) in (select (strategy, measure, reserve) from against_rival)
    group by strategy, measure
),

corrected as (
    select
        strategy,
        measure,
        p_value,
        verdicts,
        holm(p_value, place, verdicts) as p_value_holm
    from tested
),

concluded as (
    select
        compared.strategy,
        compared.measure,
        compared.highest_reserve,
        compared.smallest_difference,
        rival.reserve as best_reserve,
        rival.other_reserve as rival_reserve,
        rival.probability as least_probability,
        unit_of_measure(compared.measure) as unit,
        rival.actual_difference,
        rival.difference_low,
        rival.difference_median,
        rival.difference_high,
        rival.histories,
        corrected.p_value,
        corrected.p_value_holm,
        max(corrected.verdicts) over () as verdicts,
        case
            when compared.is_mechanical then 'mechanical'
            when rival.reserve is null then 'single'
            when is_significant(corrected.p_value_holm) and rival.difference_median >= compared.smallest_difference
                then 'better'
            when
                is_significant(corrected.p_value_holm)
                or greatest(abs(rival.difference_low), abs(rival.difference_high)) < compared.smallest_difference
                then 'too_small'
            else 'undecided'
        end as conclusion
    from compared
    left join against_rival as rival using (strategy, measure)
    left join corrected using (strategy, measure)
),

worded as (
    select
        strategy,
        measure,
        strategy || ', ' || case measure when 'sharpe' then 'Sharpe ratio' when 'max_drawdown' then 'worst drawdown' else measure end
            as subject,
        case measure
            when 'wealth' then format('{:.2f} % a year faster growth', difference_median * 100)
            when 'sharpe' then format('{:.3f}', difference_median)
            else format('{:.2f} points', difference_median * 100)
        end
        || case measure
            when 'sharpe' then format(' ({:.3f} to {:.3f}', difference_low, difference_high)
            else format(' ({:.2f} to {:.2f}', difference_low * 100, difference_high * 100)
        end
        || ' in nine of ten samples'
        || coalesce(format(', p = {:.2g}', p_value_holm), '')
        || case when verdicts > 1 and p_value_holm is not null then format(' corrected for {} verdicts)', verdicts) else ')' end
            as lead,
        case when best_reserve = highest_reserve then
            ' It is the highest level simulated, so a better one may lie beyond.' else '' end as edge
    from concluded
)

select
    strategy,
    measure,
    conclusion,
    best_reserve,
    rival_reserve,
    least_probability,
    unit,
    actual_difference,
    difference_low,
    difference_median,
    difference_high,
    smallest_difference,
    p_value,
    p_value_holm,
    coalesce(verdicts, 0) as verdicts,
    histories,
    best_reserve = highest_reserve as is_at_edge,
    subject || case conclusion
        when 'single' then ': one reserve, or none with a value, so there is nothing to compare.'
        when 'mechanical'
            then ': no verdict. Without a rule, cash dilutes the holdings, and the difference says nothing else.'
        when 'better'
            then ': ' || percent_text(best_reserve) || ' is the best reserve, better than ' || percent_text(rival_reserve)
            || ', its closest rival, by ' || lead || '.' || edge
        when 'too_small'
            then ': ' || percent_text(best_reserve) || ' and ' || percent_text(rival_reserve)
            || ', its closest rival, differ by too little to matter: ' || lead || '.' || edge
        when 'undecided'
            then ': undecided. The samples do not separate ' || percent_text(best_reserve) || ' from '
            || percent_text(rival_reserve) || ', its closest rival: ' || lead || '.' || edge
            || case
                when p_value is null
                    then ' Samples longer than the history repeat it, so they do not show how sure a difference is.'
                when not is_significant(2 * verdicts / (histories + 1))
                    then format(' So many verdicts need at least {} bootstrap samples.', 50 * verdicts - 1)
                else ''
            end
    end as verdict
from concluded
inner join worded using (strategy, measure)
order by strategy, measure
