-- The buckets of every book: the core, and the satellites with their settings and parameters.
-- Grain: plan, bucket.
-- Sources: lake.study_bucket.
select
    plan,
    position,
    bucket,
    strategy,
    reserve,
    budget,
    target,
    min_pct,
    case when position > 0 then array_to_string(tickers, ', ') end as tickers,
    preset,
    slider_risk,
    slider_hold,
    slider_entry,
    slider_spread,
    slider_profit,
    toggle_trailing,
    toggle_regime,
    toggle_harvest,
    toggle_high_volatility,
    dividends,
    size,
    stop,
    days,
    positions,
    take,
    trail,
    signal,
    breakout_window,
    dip_depth
from lake.study_bucket
order by plan, bucket
