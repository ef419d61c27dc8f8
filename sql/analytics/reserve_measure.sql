-- How good each reserve of a strategy was by each measure, in every bootstrap sample.
-- Grain: strategy, reserve, history, measure.
-- Sources: reserve_bootstrap.
select
    strategy,
    reserve,
    history,
    measure,
    score
from (
    select
        strategy,
        reserve,
        history,
        -- What was paid out belongs to what the money came to.
        final_value + withdrawals as wealth,
        sharpe,
        max_drawdown
    from reserve_bootstrap
)
unpivot (score for measure in (wealth, sharpe, max_drawdown))
order by strategy, reserve, history, measure
