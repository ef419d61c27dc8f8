-- What a scenario returned in an episode of stress is the product of the returns of its sessions.
-- table: report_stress
with
compounded as (
    select
        stress.strategy,
        stress.reserve,
        stress.episode,
        stress.twr,
        product(growth_factor(returns.simple_return)) - 1 as expected_return
    from report_stress as stress
    inner join simulation_returns as returns
        on stress.strategy = returns.strategy
        and stress.reserve = returns.reserve
        and returns.session > stress.first_session
        and returns.session <= stress.last_session
    where stress.twr is not null
    group by all
)

select
    strategy,
    reserve,
    episode,
    twr,
    expected_return
from compounded
where same_return(twr, coalesce(expected_return, 0)) is not true
