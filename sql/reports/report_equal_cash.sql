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
        -- NULL where there is no interval, and by income, which has none.
        case study.judge_by
            when 'sharpe' then is_distinguished(other.sharpe_difference_low, other.sharpe_difference_high)
            when 'cagr' then is_distinguished(other.cagr_difference_low, other.cagr_difference_high)
            when 'ending_value' then is_distinguished(other.cagr_difference_low, other.cagr_difference_high)
        end as distinguished,
        other.interval_missing,
        other.samples,
        other.block_length
    from report_strategy as metrics
    inner join lake.simulation_equal_cash as other using (strategy, reserve)
    cross join study
    where metrics.is_current
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
    case
        when paid_in_full <> comparison_paid_in_full then if(paid_in_full, 'better', 'worse')
        when same_return(own, others) then 'the same'
        when own > others then 'better'
        when own < others then 'worse'
    end as outcome,
    case
        when not (paid_in_full and comparison_paid_in_full) then null
        when outcome = 'the same' or distinguished then outcome
        when outcome is not null and not distinguished then 'not significant'
    end as verdict,
    interval_missing,
    samples,
    block_length
from compared
order by strategy, reserve, comparison
