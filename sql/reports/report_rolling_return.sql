-- What every scenario returned over each twelve and each thirty-six calendar months in a row.
-- Grain: strategy, reserve, months, month.
-- Sources: report_month.
with
lengths as (select unnest([12, 36])::bigint as months),

calendar as (
    select
        strategy,
        reserve,
        month,
        last_session,
        is_whole,
        twr,
        real_twr,
        lag(last_session) over scenario as start_session,
        min(month) over scenario as first_month
    from report_month
    window scenario as (partition by strategy, reserve order by month)
),

rolling as (
    select
        ends.strategy,
        ends.reserve,
        lengths.months,
        ends.month,
        arg_min(inside.start_session, inside.month) as start_session,
        ends.last_session,
        product(1 + inside.twr) - 1 as twr,
        product(1 + inside.real_twr) - 1 as real_twr
    from calendar as ends
    cross join lengths
    inner join calendar as inside
        on ends.strategy = inside.strategy
        and ends.reserve = inside.reserve
        and inside.month > ends.month - to_months(lengths.months::integer)
        and inside.month <= ends.month
    where ends.is_whole and ends.month - to_months(lengths.months::integer) >= ends.first_month
    group by ends.strategy, ends.reserve, lengths.months, ends.month, ends.last_session
)

select
    strategy,
    reserve,
    months,
    month,
    start_session,
    last_session,
    twr,
    pow(1 + twr, 12 / months) - 1 as cagr,
    real_twr
from rolling
order by strategy, reserve, months, month
