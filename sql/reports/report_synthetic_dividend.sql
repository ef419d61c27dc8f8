-- Value and profit of a scenario by source: core holdings, harvested cash, buyback lots, income, costs.
-- Grain: strategy, reserve.
-- Sources: simulation_daily, simulation_ledger, simulation_lots, asset_returns, lake.simulation_partition.
with
last_prices as (
    select ticker, arg_max(price, session) as price
    from asset_returns
    group by ticker
),

last_days as (
    select
        daily.strategy,
        daily.reserve,
        arg_max(daily.value, daily.session) as final_value,
        arg_max(daily.bank, daily.session) as bank,
        arg_max(daily.value, daily.session) - stored.capital + sum(daily.withdrawals) - sum(daily.deposits) as profit
    from simulation_daily as daily
    inner join lake.simulation_partition as stored using (strategy, reserve)
    where stored.is_current and stored.keep = 'ledger'
    group by daily.strategy, daily.reserve, stored.capital
),

holdings as (
    select
        ledger.strategy,
        ledger.reserve,
        sum(ledger.quantity * last_prices.price) as worth,
        sum(ledger.quantity * ledger.price) as spent
    from simulation_ledger as ledger
    inner join last_prices using (ticker)
    where ledger.quantity is not null
    group by ledger.strategy, ledger.reserve
),

lots as (
    select
        lots.strategy,
        lots.reserve,
        coalesce(sum(lots.quantity * last_prices.price) filter (where lots.closed is null), 0) as worth,
        sum(lots.quantity * lots.price) - coalesce(sum(lots.quantity * lots.sale_price), 0) as spent,
        coalesce(sum(lots.quantity * (lots.sale_price - lots.price)), 0) as realised_gain,
        coalesce(sum(lots.quantity * (last_prices.price - lots.price)) filter (where lots.closed is null), 0)
            as unrealised_gain
    from simulation_lots as lots
    inner join last_prices using (ticker)
    group by lots.strategy, lots.reserve
),

bookings as (
    select
        strategy,
        reserve,
        coalesce(sum(amount) filter (where quantity is null and ticker is not null), 0) as dividend_income,
        coalesce(sum(amount) filter (where kind = 'INTEREST'), 0) as interest_income,
        sum(fee) as costs
    from simulation_ledger
    group by strategy, reserve
)

select
    last_days.strategy,
    last_days.reserve,
    last_days.final_value,
    coalesce(holdings.worth, 0) - coalesce(lots.worth, 0) as core_value,
    coalesce(lots.worth, 0) as lots_value,
    last_days.bank,
    last_days.profit,
    -- The core is what is held and was traded besides the lots.
    (coalesce(holdings.worth, 0) - coalesce(lots.worth, 0))
    - (coalesce(holdings.spent, 0) - coalesce(lots.spent, 0)) as core_gain,
    coalesce(lots.realised_gain, 0) as realised_buyback_gain,
    coalesce(lots.unrealised_gain, 0) as unrealised_buyback_gain,
    coalesce(bookings.dividend_income, 0) as dividend_income,
    coalesce(bookings.interest_income, 0) as interest_income,
    coalesce(bookings.costs, 0) as costs
from last_days
left join holdings using (strategy, reserve)
left join lots using (strategy, reserve)
left join bookings using (strategy, reserve)
order by last_days.strategy, last_days.reserve
