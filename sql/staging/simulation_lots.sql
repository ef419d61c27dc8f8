-- Every buyback lot of every scenario, in as many parts as it was sold in.
-- Grain: strategy, reserve, lot, part.
-- Sources: lake.simulation_lots.
select
    strategy,
    reserve,
    lot::bigint as lot,
    -- Parts that agree in all of this are alike, so their order makes no difference.
    row_number() over (
        partition by strategy, reserve, lot order by closed nulls last, sale_price, quantity
    ) as part,
    ticker,
    opened,
    closed,
    quantity,
    price,
    sale_price,
    premium
from lake.simulation_lots
order by strategy, reserve, lot, part
