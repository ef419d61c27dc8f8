-- How likely each scenario is to have left a withdrawal unpaid by the end of each year.
-- Grain: strategy, reserve, is_own, withdrawal_rate, year.
-- Sources: withdrawal_outcome.
with
samples as (
    select
        strategy,
        reserve,
        withdrawal_of,
        withdrawal_rate,
        is_own,
        history,
        first_unpaid_year,
        unnest(generate_series(1, years)) as year
    from withdrawal_outcome
    where paid_share is not null
),

shares as (
    select
        strategy,
        reserve,
        withdrawal_of,
        withdrawal_rate,
        is_own,
        year,
        avg(coalesce(first_unpaid_year <= year, false)::integer) as unpaid,
        count(history) as histories
    from samples
    group by strategy, reserve, withdrawal_of, withdrawal_rate, is_own, year
)

select
    strategy,
    reserve,
    withdrawal_of,
    withdrawal_rate,
    is_own,
    year,
    unpaid,
    share_low(unpaid, histories) as unpaid_low,
    share_high(unpaid, histories) as unpaid_high,
    histories
from shares
order by strategy, reserve, is_own desc, withdrawal_rate, year
