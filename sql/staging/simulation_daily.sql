-- Every scenario at the close of every session.
-- Grain: strategy, reserve, session.
-- Sources: lake.simulation_daily.
select
    strategy,
    reserve,
    session,
    bank,
    invested,
    value,
    nav_value,
    income,
    sells,
    buys,
    withdrawals,
    deposits,
    skipped_buys::bigint as skipped_buys,
    passed_rungs::bigint as passed_rungs
from lake.simulation_daily
order by strategy, reserve, session
