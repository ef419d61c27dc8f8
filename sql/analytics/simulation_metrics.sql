-- Metrics of every scenario over its whole period, computed from its own rows alone.
-- Grain: strategy, reserve.
-- Sources: simulation_returns, simulation_daily, simulation_ledger, simulation_taxes, study, lake.simulation_partition, lake.simulation_metrics.
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
        min(returns.drawdown) as max_drawdown,
        value_at_risk(returns.simple_return) as value_at_risk,
        conditional_value_at_risk(returns.simple_return) as conditional_value_at_risk
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
        avg(share_of_value(daily.bank, daily.value)) as mean_cash_share
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
        -- The unpaid part of a withdrawal is in the column that has the quantity of a skipped order.
        coalesce(
            sum(coalesce(ledger.skipped_quantity, 0) - ledger.amount) filter (
                where ledger.kind in ('WITHDRAWAL', 'SKIP_WITHDRAWAL')
            ),
            0
        ) as withdrawals_scheduled
    from lake.simulation_partition as stored
    left join simulation_ledger as ledger using (strategy, reserve)
    group by stored.strategy, stored.reserve
),

year_ends as (
    select
        strategy,
        reserve,
        year(session) as year,
        arg_max(value, session) as value
    from simulation_daily
    group by strategy, reserve, year(session)
),

-- In time-weighted growth the tax of a year is a loss at its last close.
owed as (
    select
        taxes.strategy,
        taxes.reserve,
        sum(taxes.tax) as taxes,
        sum(taxes.liquidation_tax) as liquidation_tax,
        product(left_after_tax(taxes.tax, year_ends.value)) as left_over,
        product(left_after_tax(taxes.tax + coalesce(taxes.liquidation_tax, 0), year_ends.value)) as left_of_sales
    from simulation_taxes as taxes
    left join year_ends using (strategy, reserve, year)
    group by taxes.strategy, taxes.reserve
)

select
    stored.strategy,
    stored.reserve,
    performance.first_session,
    performance.last_session,
    is_of_a_year(performance.days) as is_of_a_year,
    wealth.final_value,
    wealth.total_return,
    performance.growth - 1 as twr,
    cagr(performance.growth, performance.days) as cagr,
    performance.volatility,
    performance.sharpe,
    performance.sortino,
    performance.max_drawdown,
    calmar(cagr, performance.max_drawdown) as calmar,
    performance.value_at_risk,
    performance.conditional_value_at_risk,
    bookings.dividend_income,
    bookings.interest_income,
    bookings.harvest_gross,
    bookings.harvest_net,
    bookings.dividend_income + bookings.interest_income + bookings.harvest_net as income,
    per_year(income, performance.days) as income_per_year,
    bookings.fees,
    bookings.trades,
    wealth.skipped_buys,
    wealth.passed_rungs,
    wealth.mean_cash_share,
    bookings.deposits,
    bookings.withdrawals,
    bookings.withdrawals_scheduled,
    bookings.harvest_gross / nullif(bookings.withdrawals_scheduled, 0) as coverage_gross,
    bookings.harvest_net / nullif(bookings.withdrawals_scheduled, 0) as coverage_net,
    stored.xirr,
    stored.xirr_missing,
    owed.taxes,
    wealth.final_value - owed.taxes as after_tax_value,
    wealth.final_value - owed.taxes - owed.liquidation_tax as after_tax_liquidation_value,
    cagr(performance.growth * owed.left_over, performance.days) as after_tax_cagr,
    cagr(performance.growth * owed.left_of_sales, performance.days) as after_tax_liquidation_cagr
from lake.simulation_partition as stored
inner join performance using (strategy, reserve)
inner join wealth using (strategy, reserve)
inner join bookings using (strategy, reserve)
left join owed using (strategy, reserve)
where stored.keep = 'ledger'
union all
-- The metrics of a scenario, computed before its rows were discarded.
select
    strategy,
    reserve,
    first_session,
    last_session,
    is_of_a_year,
    final_value,
    total_return,
    twr,
    cagr,
    volatility,
    sharpe,
    sortino,
    max_drawdown,
    calmar,
    value_at_risk,
    conditional_value_at_risk,
    dividend_income,
    interest_income,
    harvest_gross,
    harvest_net,
    income,
    income_per_year,
    fees,
    trades,
    skipped_buys,
    passed_rungs,
    mean_cash_share,
    deposits,
    withdrawals,
    withdrawals_scheduled,
    coverage_gross,
    coverage_net,
    xirr,
    xirr_missing,
    taxes,
    after_tax_value,
    after_tax_liquidation_value,
    after_tax_cagr,
    after_tax_liquidation_cagr
from lake.simulation_metrics
order by strategy, reserve
