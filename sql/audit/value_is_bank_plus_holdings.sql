-- A portfolio's value is its bank plus its holdings at the last close.
-- table: simulation_daily
with
held as (
    select strategy, reserve, session, sum(market_value) as holdings_value
    from simulation_holdings
    group by all
)
select strategy, reserve, session, value, bank + holdings_value as expected_value
from simulation_daily
inner join held using (strategy, reserve, session)
inner join report_strategy using (strategy, reserve)
-- A scenario on older prices is worth what it was at those.
where report_strategy.is_current and same_money(value, bank + holdings_value) is not true
