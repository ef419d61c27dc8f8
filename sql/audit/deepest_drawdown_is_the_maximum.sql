-- The deepest drawdown of a scenario is its maximum drawdown, and one that never fell has none.
-- table: report_drawdown
select
    whole.strategy,
    whole.reserve,
    whole.max_drawdown,
    deepest.depth
from report_strategy as whole
inner join simulation_partition as stored using (strategy, reserve)
left join report_drawdown as deepest
    on whole.strategy = deepest.strategy
    and whole.reserve = deepest.reserve
    and deepest.depth_rank = 1
where
    stored.is_current
    and stored.keep <> 'metrics'
    and same_return(coalesce(deepest.depth, 0), whole.max_drawdown) is not true
