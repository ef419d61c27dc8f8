-- The bank at every close is the capital plus everything booked up to then.
-- table: simulation_daily
with
booked as (
    select strategy, reserve, session, sum(amount) as amount
    from simulation_ledger
    group by all
),
expected as (
    select
        simulation_daily.strategy,
        simulation_daily.reserve,
        simulation_daily.session,
        simulation_daily.bank,
        study.capital + sum(coalesce(booked.amount, 0)) over (
            partition by simulation_daily.strategy, simulation_daily.reserve
            order by simulation_daily.session
        ) as expected_bank
    from simulation_daily
    cross join study
    left join booked using (strategy, reserve, session)
)
select expected.*
from expected
inner join report_strategy using (strategy, reserve)
-- A scenario on older settings began with the capital of those.
where report_strategy.is_current and not same_money(bank, expected_bank)
