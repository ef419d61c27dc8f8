-- The strategies of the study, every default filled in.
-- Grain: strategy.
-- Sources: lake.study_strategy.
select
    position::bigint as position,
    strategy,
    variant,
    sd_n,
    bracket,
    profit_share,
    sizing,
    coordination,
    path,
    anchor,
    max_rungs::bigint as max_rungs,
    lot_order,
    margin_limit,
    margin_rate,
    cost_bps,
    cost_fixed,
    withdrawal_amount,
    withdrawal_rate,
    withdrawal_of,
    withdrawal_every,
    coverage_min,
    coverage_of,
    shortfall
from lake.study_strategy
order by strategy
