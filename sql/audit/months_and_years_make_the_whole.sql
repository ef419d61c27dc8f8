-- The months and the calendar years of a scenario compound to its return, and what was paid in and out adds up over them.
-- table: report_calendar_year
with
parts as (
    select
        strategy,
        reserve,
        'months' as parts,
        product(1 + twr) - 1 as twr,
        sum(deposits) as deposits,
        sum(withdrawals) as withdrawals,
        arg_max(end_value, month) as final_value
    from report_month
    group by strategy, reserve
    union all
    select
        strategy,
        reserve,
        'years' as parts,
        product(1 + twr) - 1 as twr,
        sum(deposits) as deposits,
        sum(withdrawals) as withdrawals,
        arg_max(end_value, year) as final_value
    from report_calendar_year
    group by strategy, reserve
)

select
    parts.*,
    whole.twr as whole_twr,
    whole.deposits as all_deposits,
    whole.withdrawals as all_withdrawals,
    whole.final_value as whole_final_value
from parts
inner join report_strategy as whole using (strategy, reserve)
where
    same_return(parts.twr, whole.twr) is not true
    or same_money(parts.deposits, whole.deposits) is not true
    or same_money(parts.withdrawals, whole.withdrawals) is not true
    or same_money(parts.final_value, whole.final_value) is not true
