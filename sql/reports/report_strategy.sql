-- Every metric of a scenario over its whole period.
-- Grain: strategy, reserve.
-- Sources: simulation_returns, simulation_daily, simulation_ledger, study, study_strategy, lake.simulation_partition.
with
performance as (
    select
        returns.strategy,
        returns.reserve,
        min(returns.session) as first_session,
        max(returns.session) as last_session,
        max(returns.session) - min(returns.session) as days,
        arg_max(returns.twr_index, returns.session) as growth,
        annualised_volatility(returns.simple_return, study.periods_per_year) as volatility,
        sharpe(returns.excess_return, study.periods_per_year) as sharpe,
        sortino(returns.excess_return, study.periods_per_year) as sortino,
        min(returns.drawdown) as max_drawdown
    from simulation_returns as returns
    cross join study
    group by returns.strategy, returns.reserve, study.periods_per_year
),

wealth as (
    select
        daily.strategy,
        daily.reserve,
        arg_max(daily.value, daily.session) as final_value,
        arg_max(daily.value, daily.session) / stored.capital - 1 as total_return,
        sum(daily.skipped_buys)::bigint as skipped_buys,
        sum(daily.passed_rungs)::bigint as passed_rungs,
        avg(daily.bank / nullif(daily.value, 0)) as mean_cash_share
    from simulation_daily as daily
    inner join lake.simulation_partition as stored using (strategy, reserve)
    group by daily.strategy, daily.reserve, stored.capital
),

-- Nothing booked is an income of 0, not an unknown one.
bookings as (
    select
        stored.strategy,
        stored.reserve,
        coalesce(sum(ledger.amount) filter (where ledger.kind = 'DIVIDEND'), 0) as dividend_income,
        coalesce(sum(ledger.amount) filter (where ledger.kind = 'INTEREST'), 0) as interest_income,
        coalesce(sum(-ledger.quantity * ledger.price) filter (where ledger.kind = 'SELL'), 0) as harvest_gross,
        coalesce(sum(ledger.amount) filter (where ledger.kind in ('SELL', 'BUY')), 0) as harvest_net,
        coalesce(sum(ledger.fee), 0) as fees,
        count(ledger.quantity) filter (where ledger.kind <> 'INITIAL_BUY') as trades,
        coalesce(sum(ledger.amount) filter (where ledger.kind = 'DEPOSIT'), 0) as deposits,
        coalesce(-sum(ledger.amount) filter (where ledger.kind = 'WITHDRAWAL'), 0) as withdrawals,
        -- What was not paid of a withdrawal stands where a skipped order has its quantity.
        sum(coalesce(ledger.skipped_quantity, 0) - ledger.amount) filter (
            where ledger.kind in ('WITHDRAWAL', 'SKIP_WITHDRAWAL')
        ) as scheduled
    from lake.simulation_partition as stored
    left join simulation_ledger as ledger using (strategy, reserve)
    group by stored.strategy, stored.reserve
),

scenarios as (
    select
        stored.strategy,
        stored.reserve,
        stored.prices_version,
        stored.is_current,
        performance.first_session,
        performance.last_session,
        performance.days,
        performance.growth - 1 as twr,
        cagr(performance.growth, performance.days) as cagr,
        performance.volatility,
        performance.sharpe,
        performance.sortino,
        performance.max_drawdown,
        wealth.final_value,
        wealth.total_return,
        wealth.skipped_buys,
        wealth.passed_rungs,
        wealth.mean_cash_share,
        bookings.dividend_income,
        bookings.interest_income,
        bookings.harvest_gross,
        bookings.harvest_net,
        bookings.dividend_income + bookings.interest_income + bookings.harvest_net as income,
        bookings.fees,
        bookings.trades,
        bookings.deposits,
        bookings.withdrawals,
        bookings.harvest_gross / bookings.scheduled as coverage_gross,
        bookings.harvest_net / bookings.scheduled as coverage_net,
        stored.xirr
    from lake.simulation_partition as stored
    inner join performance using (strategy, reserve)
    inner join wealth using (strategy, reserve)
    inner join bookings using (strategy, reserve)
),

-- Simply holding: the study's first strategy of that variant, where it can be compared with.
simply_holding as (
    select
        scenarios.reserve,
        scenarios.twr,
        scenarios.prices_version
    from scenarios
    where
        scenarios.is_current
        and scenarios.strategy = (
            select strategy from study_strategy where variant = 'buy_and_hold' order by position limit 1
        )
)

select
    scenarios.strategy,
    scenarios.reserve,
    scenarios.first_session,
    scenarios.last_session,
    scenarios.final_value,
    scenarios.total_return,
    scenarios.twr,
    scenarios.cagr,
    scenarios.volatility,
    scenarios.sharpe,
    scenarios.sortino,
    scenarios.max_drawdown,
    calmar(scenarios.cagr, scenarios.max_drawdown) as calmar,
    scenarios.dividend_income,
    scenarios.interest_income,
    scenarios.harvest_gross,
    scenarios.harvest_net,
    scenarios.income,
    per_year(scenarios.income, scenarios.days) as income_per_year,
    scenarios.fees,
    scenarios.trades,
    scenarios.skipped_buys,
    scenarios.passed_rungs,
    scenarios.mean_cash_share,
    scenarios.twr - without_reserve.twr as excess_over_buy_and_hold,
    scenarios.twr - same_reserve.twr as excess_over_same_reserve,
    scenarios.deposits,
    scenarios.withdrawals,
    scenarios.coverage_gross,
    scenarios.coverage_net,
    scenarios.xirr,
    scenarios.prices_version,
    scenarios.is_current
from scenarios
left join simply_holding as without_reserve
    on without_reserve.reserve = 0
    and scenarios.prices_version = without_reserve.prices_version
    and scenarios.is_current
left join simply_holding as same_reserve
    on scenarios.reserve = same_reserve.reserve
    and scenarios.prices_version = same_reserve.prices_version
    and scenarios.is_current
order by scenarios.strategy, scenarios.reserve
