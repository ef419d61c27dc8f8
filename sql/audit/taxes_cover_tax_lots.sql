-- All years together hold every gain of the tax lots, and every scenario with tax lots has its taxes.
-- table: simulation_taxes
with
lots as (
    select
        strategy,
        reserve,
        coalesce(sum(gain + wash_sale_disallowed), 0) as gains,
        sum(basis) as basis
    from simulation_tax_lots
    group by strategy, reserve
),
years as (
    select
        strategy,
        reserve,
        sum(net_short_term + net_long_term) as gains,
        count(liquidation_tax) as last_years
    from simulation_taxes
    group by strategy, reserve
)
select
    strategy,
    reserve,
    lots.gains as gains_of_tax_lots,
    years.gains as gains_of_years,
    years.last_years
from lots
left join years using (strategy, reserve)
where
    (select tax_short_term from study) is not null
    and (same_money(years.gains, lots.gains, money := lots.basis) is not true or years.last_years != 1)
