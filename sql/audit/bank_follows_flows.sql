-- The bank changes from close to close by the day's flows and by nothing else.
-- table: simulation_daily
with
changes as (
    select
        strategy,
        reserve,
        session,
        bank,
        lag(bank, 1, study.capital) over (partition by strategy, reserve order by session)
            + income + sells - buys - withdrawals + deposits as expected_bank
    from simulation_daily
    cross join study
)
select changes.*
from changes
inner join report_strategy using (strategy, reserve)
-- A scenario on older settings began with the capital of those.
where report_strategy.is_current and not same_money(bank, expected_bank)
