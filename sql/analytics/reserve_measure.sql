-- How good each reserve of a strategy was by each measure, in every bootstrap sample and in what happened.
-- Grain: strategy, reserve, history, measure.
-- Sources: reserve_bootstrap, simulation_metrics, simulation_partition.
with
outcomes as (
    select
        strategy,
        reserve,
        history,
        years,
        final_value,
        withdrawals,
        sharpe,
        max_drawdown
    from reserve_bootstrap
    union all
    select
        metrics.strategy,
        metrics.reserve,
        0 as history,
        in_years(metrics.last_session - metrics.first_session) as years,
        metrics.final_value,
        metrics.withdrawals,
        metrics.sharpe,
        metrics.max_drawdown
    from simulation_metrics as metrics
    inner join simulation_partition as stored using (strategy, reserve)
    where stored.is_current
)

select
    strategy,
    reserve,
    history,
    measure,
    score,
    years
from (
    select
        strategy,
        reserve,
        history,
        years,
        -- What was paid out belongs to what the money came to.
        final_value + withdrawals as wealth,
        sharpe,
        max_drawdown
    from outcomes
)
unpivot (score for measure in (wealth, sharpe, max_drawdown))
order by strategy, reserve, history, measure
