-- The highest withdrawals that each scenario pays to the end in 90, 95 and 99 % of the samples.
-- Grain: strategy, reserve, certainty.
-- Sources: withdrawal_limit, study.
with
ranked as (
    select
        strategy,
        reserve,
        highest_rate,
        is_beyond,
        years,
        count(highest_rate) over (partition by strategy, reserve) as found,
        -- The share of the samples that pay this rate: those with lower ones do not.
        1 - (row_number() over (partition by strategy, reserve order by is_beyond, highest_rate, history) - 1)
            / count(history) over (partition by strategy, reserve) as paid_all,
        count(history) over (partition by strategy, reserve) as histories
    from withdrawal_limit
),

levels as (
    select
        ranked.strategy,
        ranked.reserve,
        asked.certainty,
        ranked.highest_rate,
        ranked.is_beyond,
        ranked.found,
        ranked.histories,
        ranked.years,
        -- Rounding decides nothing.
        ranked.paid_all >= asked.certainty - 1e-9 as is_safe,
        share_low(ranked.paid_all, ranked.histories) >= asked.certainty as is_surely_safe,
        share_high(ranked.paid_all, ranked.histories) >= asked.certainty as may_be_safe
    from ranked
    cross join (select unnest([0.9, 0.95, 0.99])::double as certainty) as asked
),

rates as (
    select
        strategy,
        reserve,
        certainty,
        -- Where more may be paid than was looked for, the highest rate is not known.
        case
            when not bool_or(is_beyond) filter (where is_safe) then max(highest_rate) filter (where is_safe)
        end as safe_rate,
        case
            when not bool_or(is_beyond) filter (where is_surely_safe)
                then max(highest_rate) filter (where is_surely_safe)
        end as safe_rate_low,
        case
            when not bool_or(is_beyond) filter (where may_be_safe) then max(highest_rate) filter (where may_be_safe)
        end as safe_rate_high,
        any_value(found) as found,
        any_value(years) as years,
        any_value(histories) as histories
    from levels
    group by strategy, reserve, certainty
)

select
    rates.strategy,
    rates.reserve,
    rates.certainty,
    study.tax_short_term is not null as is_after_taxes,
    rates.safe_rate,
    rates.safe_rate_low,
    rates.safe_rate_high,
    rates.safe_rate * study.capital as safe_amount,
    case
        when rates.found = 0 then 'No withdrawal falls due in the samples.'
        when rates.safe_rate is null then 'The search for higher rates ended too early.'
    end as missing,
    rates.years,
    rates.histories
from rates
cross join study
order by rates.strategy, rates.reserve, rates.certainty
