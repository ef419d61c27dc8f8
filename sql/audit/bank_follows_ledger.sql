-- The bank at every close is the capital plus everything booked up to then.
-- table: simulation_daily
with
booked as (
    select strategy, reserve, session, sum(amount) as amount, sum(abs(amount)) as moved
    from simulation_ledger
    group by all
),
expected as (
    select
        simulation_daily.strategy,
        simulation_daily.reserve,
        simulation_daily.session,
        simulation_daily.bank,
        stored.capital + sum(coalesce(booked.amount, 0)) over (
            partition by simulation_daily.strategy, simulation_daily.reserve
            order by simulation_daily.session
        ) as expected_bank,
        stored.capital + sum(coalesce(booked.moved, 0)) over (
            partition by simulation_daily.strategy, simulation_daily.reserve
            order by simulation_daily.session
        ) as moved
    from simulation_daily
    inner join simulation_partition as stored using (strategy, reserve)
    left join booked using (strategy, reserve, session)
    where stored.keep = 'ledger'
)
select * from expected where same_money(bank, expected_bank, money := moved) is not true
