-- What every scenario owes for every calendar year, at the study's rates; empty where it has none.
-- Grain: strategy, reserve, year.
-- Sources: simulation_tax_lots, simulation_ledger, simulation_daily, study, lake.simulation_partition.
with recursive
years as (
    select
        daily.strategy,
        daily.reserve,
        unnest(range(min(year(daily.session)), max(year(daily.session)) + 1)) as year,
        min(year(daily.session)) as first_year,
        max(year(daily.session)) as last_year
    from simulation_daily as daily
    inner join lake.simulation_partition as stored using (strategy, reserve)
    cross join study
    where stored.has_tax_lots and study.tax_short_term is not null
    group by daily.strategy, daily.reserve
),

realised as (
    select
        strategy,
        reserve,
        year(sold) as year,
        sum(gain + wash_sale_disallowed) filter (where not long_term) as short_term,
        sum(gain + wash_sale_disallowed) filter (where long_term) as long_term
    from simulation_tax_lots
    where sold is not null
    group by all
),

unrealised as (
    select
        strategy,
        reserve,
        sum(market_value - basis) filter (where not long_term) as short_term,
        sum(market_value - basis) filter (where long_term) as long_term
    from simulation_tax_lots
    where sold is null
    group by all
),

-- Interest paid on credit is no negative income.
received as (
    select
        strategy,
        reserve,
        year(session) as year,
        sum(amount) filter (where kind = 'DIVIDEND') as dividends,
        sum(amount) filter (where kind = 'INTEREST' and amount > 0) as interest
    from simulation_ledger
    group by all
),

yearly as materialized (
    select
        years.strategy,
        years.reserve,
        years.year,
        years.year = years.first_year as is_first,
        years.year = years.last_year as is_last,
        coalesce(realised.short_term, 0) as net_short_term,
        coalesce(realised.long_term, 0) as net_long_term,
        coalesce(received.dividends, 0) as dividends,
        coalesce(received.interest, 0) as interest
    from years
    left join realised using (strategy, reserve, year)
    left join received using (strategy, reserve, year)
),

-- Each year's gains of either term, less what was carried over from the year before.
settled as (
    select
        strategy,
        reserve,
        year,
        net_short_term as short_term,
        net_long_term as long_term
    from yearly
    where is_first
    union all
    select
        yearly.strategy,
        yearly.reserve,
        yearly.year,
        yearly.net_short_term + carried_loss(settled.short_term, settled.long_term) as short_term,
        yearly.net_long_term + carried_loss(settled.long_term, settled.short_term) as long_term
    from settled
    inner join yearly
        on settled.strategy = yearly.strategy
        and settled.reserve = yearly.reserve
        and settled.year + 1 = yearly.year
),

gains as (
    select
        yearly.strategy,
        yearly.reserve,
        yearly.year,
        yearly.is_last,
        yearly.net_short_term,
        yearly.net_long_term,
        taxable_gain(settled.short_term, settled.long_term) as taxable_short_term,
        taxable_gain(settled.long_term, settled.short_term) as taxable_long_term,
        carried_loss(settled.short_term, settled.long_term) as carried_short_term,
        carried_loss(settled.long_term, settled.short_term) as carried_long_term,
        yearly.dividends,
        yearly.interest,
        -- As above, had all that is open been sold at the last close.
        settled.short_term + coalesce(unrealised.short_term, 0) as liquidated_short_term,
        settled.long_term + coalesce(unrealised.long_term, 0) as liquidated_long_term
    from yearly
    inner join settled using (strategy, reserve, year)
    left join unrealised using (strategy, reserve)
)

select
    gains.strategy,
    gains.reserve,
    gains.year,
    gains.net_short_term,
    gains.net_long_term,
    gains.taxable_short_term,
    gains.taxable_long_term,
    gains.carried_short_term,
    gains.carried_long_term,
    gains.dividends,
    gains.interest,
    gains.taxable_short_term * study.tax_short_term
    + gains.taxable_long_term * study.tax_long_term
    + gains.dividends * study.tax_dividends
    + gains.interest * study.tax_interest as tax,
    case
        when gains.is_last
            then (
                taxable_gain(gains.liquidated_short_term, gains.liquidated_long_term) - gains.taxable_short_term
            ) * study.tax_short_term
            + (
                taxable_gain(gains.liquidated_long_term, gains.liquidated_short_term) - gains.taxable_long_term
            ) * study.tax_long_term
    end as liquidation_tax
from gains
cross join study
order by gains.strategy, gains.reserve, gains.year
