-- Core, open lots and bank make the final value; capital with gains and income, less costs, makes what came out of it.
-- table: report_synthetic_dividend
with
expected as (
    select
        report.*,
        report.core_value + report.lots_value + report.bank as expected_value,
        report.core_gain + report.realised_buyback_gain + report.unrealised_buyback_gain
        + report.dividend_income + report.interest_income - report.costs as expected_profit,
        stored.capital
    from report_synthetic_dividend as report
    inner join lake.simulation_partition as stored using (strategy, reserve)
)
select strategy, reserve, final_value, expected_value, profit, expected_profit
from expected
where
    same_money(final_value, expected_value, money := capital) is not true
    or same_money(profit, expected_profit, money := capital) is not true
