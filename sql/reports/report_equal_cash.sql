-- Is it the rule, or just the cash? Every scenario of the rule beside the same cash without the rule.
-- Grain: strategy, reserve, comparison.
-- Sources: report_strategy, study, lake.simulation_equal_cash.
with
compared as (
    select
        metrics.strategy,
        metrics.reserve,
        other.comparison,
        other.cash_share,
        metrics.mean_cash_share,
        other.mean_cash_share as comparison_mean_cash_share,
        metrics.mean_cash_share - other.mean_cash_share as mean_cash_share_difference,
        metrics.final_value,
        other.final_value as comparison_final_value,
        metrics.final_value - other.final_value as final_value_difference,
        metrics.cagr,
        other.cagr as comparison_cagr,
        metrics.cagr - other.cagr as cagr_difference,
        other.cagr_difference_low,
        other.cagr_difference_high,
        metrics.volatility,
        other.volatility as comparison_volatility,
        metrics.volatility - other.volatility as volatility_difference,
        metrics.sharpe,
        other.sharpe as comparison_sharpe,
        metrics.sharpe - other.sharpe as sharpe_difference,
        other.sharpe_difference_low,
        other.sharpe_difference_high,
        metrics.max_drawdown,
        other.max_drawdown as comparison_max_drawdown,
        metrics.max_drawdown - other.max_drawdown as max_drawdown_difference,
        metrics.withdrawals,
        other.withdrawals as comparison_withdrawals,
        metrics.withdrawals - other.withdrawals as withdrawals_difference,
        metrics.paid_in_full,
        paid_in_full(other.withdrawals, other.withdrawals_scheduled) as comparison_paid_in_full,
        judged(study.judge_by, metrics.cagr, metrics.sharpe, metrics.withdrawals, metrics.final_value) as own,
        judged(study.judge_by, other.cagr, other.sharpe, other.withdrawals, other.final_value) as others,
        study.judge_by,
        -- By withdrawals there is none.
        case study.judge_by
            when 'sharpe' then other.sharpe_difference_p_value
            when 'cagr' then other.cagr_difference_p_value
            when 'ending_value' then other.cagr_difference_p_value
        end as measured_p_value,
        case when study.judge_by = 'sharpe' then metrics.sharpe - other.sharpe else metrics.cagr - other.cagr end
            as tested_difference,
        case when study.judge_by = 'sharpe' then other.sharpe_difference_low else other.cagr_difference_low end
            as tested_low,
        case when study.judge_by = 'sharpe' then other.sharpe_difference_high else other.cagr_difference_high end
            as tested_high,
        if(study.judge_by = 'sharpe', study.smallest_difference_sharpe, study.smallest_difference_wealth)
            as smallest_difference,
        other.interval_missing,
        other.samples,
        other.block_length
    from report_strategy as metrics
    inner join lake.simulation_equal_cash as other using (strategy, reserve)
    cross join study
    where metrics.is_current
),

tested as (
    select
        strategy,
        reserve,
        comparison,
        case
            when paid_in_full <> comparison_paid_in_full then if(paid_in_full, 'better', 'worse')
            when same_return(own, others) then 'the same'
            when own > others then 'better'
            when own < others then 'worse'
        end as outcome,
        case
            -- After a rise the rule held much cash on average; who holds that share from the start misses the rise.
            when comparison <> 'cash_path' then 'a share of cash that is known only afterwards favours the rule'
            when not (paid_in_full and comparison_paid_in_full) then 'one of the two did not pay every withdrawal'
            when judge_by = 'withdrawals' then 'the study judges by withdrawals, which are not resampled'
            when outcome is null then 'one of the two has no such number'
            when interval_missing is not null then interval_missing
            -- As may be where money came in or went out.
            when outcome <> 'the same' and outcome <> if(tested_difference > 0, 'better', 'worse')
                then 'value at the end and growth disagree'
        end as verdict_missing,
        case when verdict_missing is null and outcome <> 'the same' then measured_p_value end as p_value
    from compared
),

placed as (
    select
        strategy,
        reserve,
        comparison,
        outcome,
        verdict_missing,
        p_value,
        count(p_value) over () as verdicts,
        row_number() over (order by p_value nulls last, strategy, reserve, comparison) as place
    from tested
),

corrected as (
    select
        strategy,
        reserve,
        comparison,
        outcome,
        verdict_missing,
        p_value,
        verdicts,
        case when p_value is not null then holm(p_value, place, verdicts) end as p_value_holm
    from placed
)

select
    strategy,
    reserve,
    comparison,
    cash_share,
    mean_cash_share,
    comparison_mean_cash_share,
    mean_cash_share_difference,
    final_value,
    comparison_final_value,
    final_value_difference,
    cagr,
    comparison_cagr,
    cagr_difference,
    cagr_difference_low,
    cagr_difference_high,
    volatility,
    comparison_volatility,
    volatility_difference,
    sharpe,
    comparison_sharpe,
    sharpe_difference,
    sharpe_difference_low,
    sharpe_difference_high,
    max_drawdown,
    comparison_max_drawdown,
    max_drawdown_difference,
    withdrawals,
    comparison_withdrawals,
    withdrawals_difference,
    paid_in_full,
    comparison_paid_in_full,
    outcome,
    case
        when verdict_missing is not null then null
        when outcome = 'the same' then outcome
        when is_significant(p_value_holm) and abs(tested_difference) >= smallest_difference then outcome
        when is_significant(p_value_holm) or greatest(abs(tested_low), abs(tested_high)) < smallest_difference
            then 'too small'
        when p_value_holm is not null then 'not significant'
    end as verdict,
    verdict_missing,
    p_value,
    p_value_holm,
    verdicts,
    smallest_difference,
    interval_missing,
    samples,
    block_length
from compared
inner join corrected using (strategy, reserve, comparison)
order by strategy, reserve, comparison
