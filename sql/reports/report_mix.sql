-- Did deciding on weights pay? Every scenario that trades a mix beside the same without deciding.
-- Grain: strategy, reserve, comparison.
-- Sources: report_strategy, simulation_metrics, study_strategy, study_mix, mix_fit, sessions, study, lake.simulation_mix_rival.
with
span as (
    select (max(session) - min(session)) / 365.25 as years from sessions
),

decided as (
    select
        mix_fit.mix,
        count(mix_fit.status) filter (where mix_fit.turnover > 0 and mix_fit.status <> 'no_window') as decisions,
        avg((mix_fit.answered_by = mix_fit.mix)::integer) filter (where mix_fit.status not in ('no_window', 'kept'))
            as answered_by_itself,
        sum(mix_fit.turnover) filter (where mix_fit.status <> 'no_window') / any_value(nullif(span.years, 0))
            as mix_turnover
    from mix_fit
    cross join span
    group by all
),

compared as (
    select
        metrics.strategy,
        metrics.reserve,
        study_mix.mix,
        study_mix.method,
        other.comparison,
        metrics.sharpe,
        other.sharpe as comparison_sharpe,
        metrics.sharpe - other.sharpe as sharpe_difference,
        other.sharpe_difference_low,
        other.sharpe_difference_high,
        other.sharpe_difference_p_value,
        metrics.cagr,
        other.cagr as comparison_cagr,
        metrics.cagr - other.cagr as cagr_difference,
        other.cagr_difference_low,
        other.cagr_difference_high,
        metrics.volatility,
        other.volatility as comparison_volatility,
        metrics.volatility - other.volatility as volatility_difference,
        metrics.max_drawdown,
        other.max_drawdown as comparison_max_drawdown,
        metrics.max_drawdown - other.max_drawdown as max_drawdown_difference,
        coalesce(decided.decisions, 0) as decisions,
        decided.answered_by_itself,
        decided.mix_turnover,
        computed.fees,
        study.smallest_difference_sharpe as smallest_difference,
        case
            when other.interval_missing is not null then other.interval_missing
            when sharpe_difference is null or other.sharpe_difference_p_value is null
                then 'one of the two has no Sharpe ratio'
        end as verdict_missing,
        case
            when verdict_missing is null and not same_return(metrics.sharpe, other.sharpe)
                then other.sharpe_difference_p_value
        end as p_value
    from report_strategy as metrics
    inner join simulation_metrics as computed using (strategy, reserve)
    inner join lake.simulation_mix_rival as other using (strategy, reserve)
    inner join study_strategy as parts using (strategy)
    inner join study_mix on parts.allocation_mix = study_mix.mix
    left join decided on study_mix.mix = decided.mix
    cross join study
    where metrics.is_current
),

placed as (
    select
        strategy,
        reserve,
        comparison,
        p_value,
        count(p_value) over () as verdicts,
        row_number() over (order by p_value nulls last, strategy, reserve, comparison) as place
    from compared
),

corrected as (
    select
        strategy,
        reserve,
        comparison,
        verdicts,
        case when p_value is not null then holm(p_value, place, verdicts) end as p_value_holm
    from placed
)

select
    strategy,
    reserve,
    mix,
    method,
    comparison,
    sharpe,
    comparison_sharpe,
    sharpe_difference,
    sharpe_difference_low,
    sharpe_difference_high,
    cagr,
    comparison_cagr,
    cagr_difference,
    cagr_difference_low,
    cagr_difference_high,
    volatility,
    comparison_volatility,
    volatility_difference,
    max_drawdown,
    comparison_max_drawdown,
    max_drawdown_difference,
    decisions,
    answered_by_itself,
    mix_turnover,
    fees,
    p_value,
    p_value_holm,
    verdicts,
    case
        when verdict_missing is not null then null
        when p_value is null then 'the same'
        when is_significant(p_value_holm) and abs(sharpe_difference) >= smallest_difference
            then if(sharpe_difference > 0, 'better', 'worse')
        when
            is_significant(p_value_holm)
            or greatest(abs(sharpe_difference_low), abs(sharpe_difference_high)) < smallest_difference
            then 'too small'
        else 'not significant'
    end as verdict,
    verdict_missing
from compared
inner join corrected using (strategy, reserve, comparison)
order by strategy, reserve, comparison
