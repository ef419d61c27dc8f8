-- Every movement of cash of every scenario, and every trade that was refused.
-- Grain: strategy, reserve, seq.
-- Sources: lake.simulation_ledger.
select
    strategy,
    reserve,
    seq::bigint as seq,
    session,
    leg::bigint as leg,
    ticker,
    kind,
    quantity,
    skipped_quantity,
    price,
    fee,
    amount,
    bank_after,
    premium,
    buyback_gain
from lake.simulation_ledger
order by strategy, reserve, seq
