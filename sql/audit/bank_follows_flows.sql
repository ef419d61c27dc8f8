-- The bank changes from close to close by the day's flows and by nothing else.
-- table: simulation_daily
with
changes as (
    select
        simulation_daily.strategy,
        simulation_daily.reserve,
        simulation_daily.session,
        simulation_daily.bank,
        lag(bank, 1, stored.capital) over (
            partition by simulation_daily.strategy, simulation_daily.reserve
            order by simulation_daily.session
        ) + income + sells - buys - withdrawals + deposits as expected_bank,
        stored.capital + sells + buys + withdrawals + deposits as moved
    from simulation_daily
    inner join simulation_partition as stored using (strategy, reserve)
)
select * from changes where same_money(bank, expected_bank, money := moved) is not true
