"""The keys of all assets, and which asset leaves which table."""

import dagster as dg

from pipelines.lab.current import SIMULATIONS
from pipelines.steps.datasets import DERIVED
from pipelines.warehouse.lake_views import MARKET_TABLES, ROWS
from sd_core.market.sources.states import HOURLY_BARS, RAW_PRICES
from sd_core.schemas import TABLES
from sd_core.schemas.sweeps import SWEEPS


def lake_asset(name: str) -> dg.AssetKey:
    """Return the key of a dataset of the lake: the warehouse has tables of the same names."""
    return dg.AssetKey(["lake", name])


RAW_PRICES_KEY = lake_asset(RAW_PRICES)
MARKET_KEYS = {name: lake_asset(name) for name in MARKET_TABLES}
SIMULATIONS_KEY = lake_asset(SIMULATIONS)
SWEEPS_KEY = lake_asset(SWEEPS)
DERIVED_KEYS = {one.name: lake_asset(one.name) for one in DERIVED}
LAKE_KEYS = (RAW_PRICES_KEY, *MARKET_KEYS.values(), SIMULATIONS_KEY, SWEEPS_KEY, *DERIVED_KEYS.values())

TABLE_KEYS = {name: dg.AssetKey(name) for name in TABLES}
REPORT_HTML_KEY = dg.AssetKey("report_html")

# By table of the lake, the assets that leave its rows. Those of the study itself come from its file and from no asset.
LAKE_TABLE_OWNERS: dict[str, list[dg.AssetKey]] = {
    **{table: [key] for table, key in MARKET_KEYS.items()},
    HOURLY_BARS: [RAW_PRICES_KEY],
    **{
        table: [DERIVED_KEYS[one.name] for one in DERIVED if table in one.tables]
        for table in dict.fromkeys(table for one in DERIVED for table in one.tables)
    },
    **{f"simulation_{name}": [SIMULATIONS_KEY] for name in ROWS},
    **{
        f"simulation_{name}": [SIMULATIONS_KEY, SWEEPS_KEY]
        for name in ("partition", "metrics", "path_band", "equal_cash", "mix_rival", "harvest_twin")
    },
}
