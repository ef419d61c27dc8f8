-- How likely each scenario is to pay withdrawals to the end, and what is left then.
-- Grain: strategy, reserve, is_own, withdrawal_rate.
-- Sources: withdrawal_outcome.
with
shares as (
    select
        strategy,
        reserve,
        withdrawal_of,
        withdrawal_rate,
        is_own,
        -- No share where nothing fell due.
        avg((first_unpaid_year is null)::integer) filter (where paid_share is not null) as paid_all,
        avg(paid_share) as paid_share,
        interval_low(final_value) as final_value_low,
        median(final_value) as final_value_median,
        interval_high(final_value) as final_value_high,
        interval_low(real_value) as real_value_low,
        median(real_value) as real_value_median,
        interval_high(real_value) as real_value_high,
        any_value(years) as years,
        count(history) as histories
    from withdrawal_outcome
    group by strategy, reserve, withdrawal_of, withdrawal_rate, is_own
)

select
    strategy,
    reserve,
    withdrawal_of,
    withdrawal_rate,
    is_own,
    paid_all,
    share_low(paid_all, histories) as paid_all_low,
    share_high(paid_all, histories) as paid_all_high,
    paid_share,
    final_value_low,
    final_value_median,
    final_value_high,
    real_value_low,
    real_value_median,
    real_value_high,
    years,
    histories
from shares
order by strategy, reserve, is_own desc, withdrawal_rate
