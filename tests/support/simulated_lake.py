"""A lake filled with what the engine makes of a panel: the tables of ``lake_tables`` with rows that fit together.

What numbers should come of it belongs in the tests.
"""

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult, to_tables
from sd_core.simulation.rules import Rules, Variant
from sd_core.simulation.taxes.lots import tax_lot_table
from sd_core.study.scenario import Scenario
from support.lake_tables import STUDY, insert, strategy

DAYS_PER_YEAR = 365
CLASSES = ("stocks", "metals")


def asset_classes(panel: Panel) -> list[str]:
    """Return the class of every asset: the two in turn."""
    return [CLASSES[position % len(CLASSES)] for position in range(len(panel.tickers))]


def risk_free_returns(panel: Panel) -> Floats:
    """Return what cash earned since the session before, at the rate known then; 0 on the first."""
    days = np.diff(panel.sessions).astype(float)
    return np.concatenate([[0.0], panel.rates[:-1] * days / DAYS_PER_YEAR])


def fill_from_simulation(
    con: duckdb.DuckDBPyConnection, panel: Panel, rules: Mapping[str, Rules], benchmark: str = "universe"
) -> dict[str, SimulationResult]:
    """Put a panel and the scenarios of some rules, by name of strategy, into the lake; return what the engine gave."""
    first = next(iter(rules.values()))
    insert(
        con,
        "study",
        {
            **STUDY,
            "capital": first.capital,
            "benchmark": benchmark,
            "periods_per_year": panel.periods_per_year,
            "has_price_index": panel.price_index is not None,
        },
    )
    _add(con, "sessions", pa.table({"session": pa.array(panel.sessions)}))
    _add(
        con,
        "rates",
        pa.table(
            {
                "session": panel.sessions,
                "rate": panel.rates,
                "risk_free_return": risk_free_returns(panel),
                "price_index": np.ones(len(panel.sessions)) if panel.price_index is None else panel.price_index,
            }
        ),
    )
    for position, ticker in enumerate(panel.tickers):
        _add(con, "prices", _bars(panel, position))
        insert(
            con,
            "study_asset",
            {
                "position": position + 1,
                "ticker": ticker,
                "asset_class": asset_classes(panel)[position],
                "weight": first.targets.weights[0][position],
                "target_share": first.targets.weights[0][position],
                "lot_size": first.lot_sizes[position],
                "bracket": first.brackets[position],
            },
        )
    results = dict(zip(rules, simulate(panel, list(rules.values()), workers=1), strict=True))
    for name, scenario in rules.items():
        add_scenario_rows(con, panel, name, scenario, results[name])
    return results


def add_scenario_rows(
    con: duckdb.DuckDBPyConnection,
    panel: Panel,
    name: str,
    rules: Rules,
    result: SimulationResult,
    tax_lots: Rows | None = None,
) -> None:
    """Put one more scenario of a panel that is in the lake there, with the rows of a result and tax lots, if any."""
    variant = None if rules.variant is Variant.NO_RULE else rules.variant.name.lower()
    settings = {"costs_fixed": rules.fee_fixed, "costs_bps": rules.fee_rate * 10_000}
    if variant is not None:
        settings |= {"rule_path": rules.path.name.lower(), "rule_margin_limit": rules.margin_limit or None}
    (known,) = con.execute("select count(*) from lake.study_strategy").fetchall()[0]
    insert(con, "study_strategy", {**strategy(known + 1, name, variant), **settings})
    _add(con, "strategy_target", _targets(panel, name, rules))
    insert(
        con,
        "simulation_partition",
        {
            "strategy": name,
            "reserve": rules.reserve,
            "keep": "ledger",
            "capital": rules.capital,
            "xirr": None,
            "xirr_missing": "not asked",
            "prices_version": "p1",
            "has_tax_lots": tax_lots is not None,
            "is_current": True,
        },
    )
    scenario = Scenario(strategy=name, reserve=rules.reserve)
    for table, rows in to_tables(result, scenario, panel).items():
        _add(con, f"simulation_{table}", rows)
    if tax_lots is not None:
        _add(con, "simulation_tax_lots", tax_lot_table(tax_lots, scenario, panel))


def _targets(panel: Panel, name: str, rules: Rules) -> pa.Table:
    """Return a strategy's targets by the session of the panel from whose close on they are in force."""
    weights = rules.targets.weights[rules.targets.rows_by_session(panel.sessions)]
    begins = [day for day, row in enumerate(weights) if day == 0 or (row != weights[day - 1]).any()]
    return pa.table(
        {
            "strategy": [name] * len(begins) * len(panel.tickers),
            "session": np.repeat(panel.sessions[begins], len(panel.tickers)),
            "ticker": list(panel.tickers) * len(begins),
            "weight": weights[begins].ravel(),
        }
    )


def _bars(panel: Panel, position: int) -> pa.Table:
    """Return an asset's bars and dividends as the lake has them: no row where there is neither."""
    closes, dividends = panel.close[:, position], panel.dividends[:, position]
    kept = ~np.isnan(closes) | (dividends != 0)
    prices = {
        name: pa.array(getattr(panel, name)[kept, position], from_pandas=True)
        for name in ("open", "high", "low", "close")
    }
    return pa.table(
        {
            "session": pa.array(panel.sessions[kept]),
            "ticker": pa.repeat(pa.scalar(panel.tickers[position]), int(kept.sum())),
            **prices,
            "dividend": pa.array(dividends[kept]),
        }
    )


def _add(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    con.register("arriving", rows)
    con.execute(f"insert into lake.{table} by name from arriving")
    con.unregister("arriving")
