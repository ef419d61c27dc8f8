-- The income of every scenario by calendar month, months without any included.
-- Grain: strategy, reserve, month.
-- Sources: simulation_daily, simulation_ledger, simulation_partition.
with
months as (
    select
        strategy,
        reserve,
        date_trunc('month', session)::date as month,
        min(session) as first_session,
        max(session) as last_session
    from simulation_daily
    inner join simulation_partition using (strategy, reserve)
    where simulation_partition.keep = 'ledger'
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
    months.first_session,
    months.last_session,
    coalesce(bookings.dividends, 0) as dividends,
    coalesce(bookings.interest, 0) as interest,
    coalesce(bookings.harvest_gross, 0) as harvest_gross,
    coalesce(bookings.harvest_net, 0) as harvest_net,
    coalesce(bookings.dividends, 0) + coalesce(bookings.interest, 0) + coalesce(bookings.harvest_net, 0) as income
from months
left join bookings using (strategy, reserve, month)
order by months.strategy, months.reserve, months.month
