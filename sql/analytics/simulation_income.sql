-- The income of every scenario by calendar month, months without any and months without a session included.
-- Grain: strategy, reserve, month.
-- Sources: simulation_daily, simulation_ledger, simulation_partition.
with
stretches as (
    select
        strategy,
        reserve,
        min(session) as first_session,
        max(session) as last_session
    from simulation_daily
    inner join simulation_partition using (strategy, reserve)
    where simulation_partition.keep = 'ledger'
    group by strategy, reserve
),

-- A pause of trading is no less a month without income.
months as (
    select
        strategy,
        reserve,
        unnest(
            range(date_trunc('month', first_session), last_session + interval 1 day, interval 1 month)
        )::date as month
    from stretches
),

sessions_of_months as (
    select
        strategy,
        reserve,
        date_trunc('month', session)::date as month,
        min(session) as first_session,
        max(session) as last_session
    from simulation_daily
    group by strategy, reserve, date_trunc('month', session)
),

bookings as (
    select
        strategy,
        reserve,
        date_trunc('month', session)::date as month,
        sum(amount) filter (where kind = 'DIVIDEND') as dividends,
        sum(amount) filter (where kind = 'INTEREST') as interest,
        sum(-quantity * price) filter (where kind = 'SELL') as harvest_gross,
        sum(amount) filter (where kind in ('SELL', 'BUY')) as harvest_net
    from simulation_ledger
    where kind in ('DIVIDEND', 'INTEREST', 'SELL', 'BUY')
    group by strategy, reserve, date_trunc('month', session)
)

select
    months.strategy,
    months.reserve,
    months.month,
    sessions_of_months.first_session,
    sessions_of_months.last_session,
    coalesce(bookings.dividends, 0) as dividends,
    coalesce(bookings.interest, 0) as interest,
    coalesce(bookings.harvest_gross, 0) as harvest_gross,
    coalesce(bookings.harvest_net, 0) as harvest_net,
    coalesce(bookings.dividends, 0) + coalesce(bookings.interest, 0) + coalesce(bookings.harvest_net, 0) as income
from months
left join sessions_of_months using (strategy, reserve, month)
left join bookings using (strategy, reserve, month)
order by months.strategy, months.reserve, months.month
