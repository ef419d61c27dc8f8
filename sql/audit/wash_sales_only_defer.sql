-- What wash sales disallow is added to the basis of other shares, once and whole.
-- table: simulation_tax_lots
select
    strategy,
    reserve,
    ticker,
    sum(basis - cost) as taken_over,
    coalesce(sum(wash_sale_disallowed), 0) as disallowed
from simulation_tax_lots
group by strategy, reserve, ticker
having
    same_money(sum(basis - cost), coalesce(sum(wash_sale_disallowed), 0), money := sum(basis)) is not true
    or min(basis - cost * (1 - 1e-9)) < 0
