-- Shares that every sale of every scenario sold, and those still open; empty where there are no taxes.
-- Grain: strategy, reserve, part.
-- Sources: lake.simulation_tax_lots.
select
    strategy,
    reserve,
    part::bigint as part,
    purchase_seq::bigint as purchase_seq,
    sale_seq::bigint as sale_seq,
    ticker,
    acquired,
    held_since,
    sold,
    long_term,
    quantity,
    cost,
    basis,
    proceeds,
    gain,
    wash_sale_disallowed,
    market_value
from lake.simulation_tax_lots
order by strategy, reserve, part
