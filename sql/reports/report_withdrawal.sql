-- How likely each scenario is to pay withdrawals to the end, and what is left then.
-- Grain: strategy, reserve, is_own, withdrawal_rate.
-- Sources: withdrawal_outcome, study.
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
    shares.strategy,
    shares.reserve,
    shares.withdrawal_of,
    shares.withdrawal_rate,
    shares.is_own,
    study.tax_short_term is not null as is_after_taxes,
    shares.paid_all,
    share_low(shares.paid_all, shares.histories) as paid_all_low,
    share_high(shares.paid_all, shares.histories) as paid_all_high,
    shares.paid_share,
    shares.final_value_low,
    shares.final_value_median,
    shares.final_value_high,
    shares.real_value_low,
    shares.real_value_median,
    shares.real_value_high,
    shares.years,
    shares.histories
from shares
cross join study
order by shares.strategy, shares.reserve, shares.is_own desc, shares.withdrawal_rate
