-- Profit of every asset, and of the bank, by month: by source, and its contribution to the return.
-- Grain: strategy, reserve, month, ticker.
-- Sources: simulation_returns, simulation_ledger, simulation_daily, asset_returns, benchmark_daily, holding_interval, sessions, study_asset, lake.simulation_partition.
with
-- Small numbers represent names and dates, since a row per scenario, session and asset passes through here.
scenarios as (
    select strategy, reserve, capital, row_number() over (order by strategy, reserve)::integer as scenario
    from lake.simulation_partition
    where is_current and keep = 'ledger'
),

assets as (
    select ticker, position::integer as asset
    from study_asset
    union all
    select cash(), 0
),

days as (
    select
        session,
        lag(session) over (order by session) as previous_session,
        row_number() over (order by session)::integer as day,
        date_trunc('month', session)::date as month,
        dense_rank() over (order by date_trunc('month', session))::integer as month_number
    from sessions
),

returns as (
    select
        scenarios.scenario,
        days.day,
        days.month,
        simulation_returns.simple_return,
        -- A unit of profit in the session is so much of the logarithm of growth.
        carino(simulation_returns.simple_return, 0) / simulation_returns.opening_value as log_growth
    from simulation_returns
    inner join scenarios using (strategy, reserve)
    inner join days using (session)
),

-- The factors of a period that was a total loss do not exist.
month_factors as (
    select
        scenario,
        month,
        linking_factor(simple_return, 0) as month_factor
    from returns
    group by scenario, month
),

total_factors as (
    select
        scenario,
        linking_factor(simple_return, 0) as total_factor
    from returns
    group by scenario
),

-- On the first session, at whose close the assets are bought, the benchmark does not move either.
benchmark as (
    select
        days.day,
        days.month,
        case when days.day = 1 then 0 else benchmark_daily.simple_return end as benchmark_return
    from benchmark_daily
    inner join days using (session)
),

covered_months as (
    select month
    from benchmark
    group by month
    having count(day) = count(benchmark_return)
),

marks as (
    select
        days.day,
        days.month,
        days.month_number,
        assets.asset,
        asset_returns.price,
        asset_returns.price - asset_returns.previous_price as gain,
        asset_returns.previous_price * benchmark.benchmark_return as benchmark_gain
    from asset_returns
    inner join assets using (ticker)
    inner join days using (session)
    inner join benchmark using (day, month)
),

-- The sessions of a month are one list, so that what is held through them takes a product of lists and no row a session.
asset_months as (
    select
        asset,
        month,
        month_number,
        min(day) as first_day,
        list(coalesce(gain, 0) order by day) as gains,
        list(coalesce(benchmark_gain, 0) order by day) as benchmark_gains
    from marks
    group by asset, month, month_number
),

-- A month without any return has no list.
scenario_months as (
    select
        scenario,
        month,
        list(coalesce(log_growth, 0) order by day) as log_growths
    from returns
    group by scenario, month
    having count(log_growth) > 0
),

-- Deposits and withdrawals are no profit.
bookings as (
    select
        scenarios.scenario,
        assets.asset,
        days.day,
        coalesce(sum(ledger.quantity), 0) as quantity,
        coalesce(sum(ledger.quantity * ledger.price), 0) as spent,
        coalesce(sum(ledger.amount) filter (where ledger.quantity is null), 0) as income,
        sum(ledger.fee) as costs
    from simulation_ledger as ledger
    inner join scenarios using (strategy, reserve)
    inner join assets on coalesce(ledger.ticker, cash()) = assets.ticker
    inner join days using (session)
    where ledger.ticker is not null or ledger.kind = 'INTEREST'
    group by scenarios.scenario, assets.asset, days.day
),

-- What is held at a close is held at the opening after it, if there is one.
ends as (
    select previous_session as last_session, day, month_number
    from days
    where previous_session is not null
    union all
    select last(session order by session), max(day), max(month_number) from days
),

openings as (
    select
        scenarios.scenario,
        assets.asset,
        opened.day as first_day,
        closed.day as last_day,
        unnest(range(opened.month_number, closed.month_number + 1)) as month_number,
        intervals.holdings
    from holding_interval as intervals
    inner join scenarios using (strategy, reserve)
    inner join assets using (ticker)
    inner join days as opened on intervals.first_session = opened.previous_session
    inner join ends as closed on intervals.last_session = closed.last_session
),

-- The part of a month through which so much is held: from one place in its lists to another.
stretches as (
    select
        openings.scenario,
        openings.asset,
        asset_months.month,
        openings.holdings,
        asset_months.gains,
        asset_months.benchmark_gains,
        greatest(openings.first_day - asset_months.first_day, 0) + 1 as first,
        openings.last_day - asset_months.first_day + 1 as last
    from openings
    inner join asset_months using (asset, month_number)
),

held as (
    select
        stretches.scenario,
        stretches.month,
        stretches.asset,
        sum(stretches.holdings * list_sum(stretches.gains[stretches.first:stretches.last])) as price_gain,
        sum(
            stretches.holdings * list_inner_product(
                stretches.gains[stretches.first:stretches.last],
                scenario_months.log_growths[stretches.first:stretches.last]
            )
        ) as log_growth,
        sum(
            stretches.holdings * list_sum(stretches.benchmark_gains[stretches.first:stretches.last])
        ) as benchmark_profit
    from stretches
    left join scenario_months using (scenario, month)
    group by stretches.scenario, stretches.month, stretches.asset
),

-- A trade gains or loses from its price to the close of its session.
traded as (
    select
        bookings.scenario,
        returns.month,
        bookings.asset,
        sum(bookings.quantity * coalesce(marks.price, 0) - bookings.spent) as price_gain,
        sum(bookings.income) as income,
        sum(bookings.costs) as costs,
        sum(
            (bookings.quantity * coalesce(marks.price, 0) - bookings.spent + bookings.income - bookings.costs)
            * returns.log_growth
        ) as log_growth
    from bookings
    inner join returns using (scenario, day)
    left join marks using (asset, day)
    group by bookings.scenario, returns.month, bookings.asset
),

opening_banks as (
    select
        scenarios.scenario,
        days.month,
        lag(daily.bank, 1, scenarios.capital) over (
            partition by daily.strategy, daily.reserve order by daily.session
        ) + daily.deposits as bank,
        benchmark.benchmark_return
    from simulation_daily as daily
    inner join scenarios using (strategy, reserve)
    inner join days using (session)
    inner join benchmark using (day, month)
),

parts as (
    select scenario, month, asset, price_gain, 0 as income, 0 as costs, log_growth, benchmark_profit from held
    union all
    select scenario, month, asset, price_gain, income, costs, log_growth, null from traded
    union all
    select scenario, month, 0, 0, 0, 0, 0, sum(bank * benchmark_return) from opening_banks group by scenario, month
),

sums as (
    select
        scenario,
        month,
        asset,
        sum(price_gain) as price_gain,
        sum(income) as income,
        sum(costs) as costs,
        sum(log_growth) as log_growth,
        coalesce(sum(benchmark_profit), 0) as benchmark_profit
    from parts
    group by scenario, month, asset
)

select
    scenarios.strategy,
    scenarios.reserve,
    sums.month,
    assets.ticker,
    sums.price_gain,
    sums.income,
    sums.costs,
    sums.price_gain + sums.income - sums.costs as profit,
    sums.log_growth / month_factors.month_factor as contribution,
    sums.log_growth / total_factors.total_factor as linked_contribution,
    case when covered_months.month is not null then sums.benchmark_profit end as benchmark_profit
from sums
inner join scenarios using (scenario)
inner join assets using (asset)
inner join month_factors using (scenario, month)
inner join total_factors using (scenario)
left join covered_months using (month)
order by scenarios.strategy, scenarios.reserve, sums.month, assets.ticker
