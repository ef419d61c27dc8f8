-- The assets of the universe, with what each overrides of a strategy.
-- Grain: ticker.
-- Sources: lake.study_asset.
select
    position::bigint as position,
    ticker,
    asset_class,
    weight,
    target_share,
    lot_size,
    sd_n,
    bracket,
    profit_share,
    candidate::bigint as candidate
from lake.study_asset
order by ticker
