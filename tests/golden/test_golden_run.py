"""One golden run: every shipped study's rows, and the demo's published tables, against stored files.

The numbers were copied from the code's own output on purpose. They prove nothing about correctness, which is what the
other tests are for: they only distinguish a move from a change. ``SD_SNAPSHOT=write`` before the command that runs this
module rewrites the files in ``tests/golden``; the commit that does so must say why.

- ``ledger_*``: a SHA-256 of what the engine gives per scenario, bit by bit. Yahoo's prices change, so `vision` runs on
  the files of ``synthetic_prices``.
- ``*_tables``: rows per table and a hash per column, so that a difference names what moved. Staging tables and what is
  plain arithmetic on them count bit by bit. Fits, correlations, metrics and reports count to eight digits, since
  libraries differ in their last bits between processors, and probabilities that were fitted to six decimals.
- ``*_values``: some of the numbers themselves, for people, to a part in a billion, and the version of the
  prices.

The demo leaves much empty that a study can have: taxes, money in and out, histories. The study `mixed` has it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import golden_files
from support.lab import MOST_EVENTS, PROJECT, Lab, write_study
from support.synthetic_prices import PRICE_INDEX, write_vision_prices
from support.table_hashes import column_hashes, rows_hash

from sd_core.market.build import build_market, to_panel
from sd_core.market.panel import Panel
from sd_core.market.sources.csv_files import CsvSource
from sd_core.market.sources.registry import fetch, open_source
from sd_core.schemas import TABLES
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve
from sd_core.study.loading import load_study
from sd_core.study.model import Study

STUDIES = sorted((PROJECT / "studies").glob("*.yaml"))
TOLERANCE = 1e-9

# Tables besides staging's that divide and multiply and do no more.
PLAIN = {"asset_returns", "simulation_returns"}
# What staging has from elsewhere: from correlations, from histories, from the search for a root.
FITTED = {
    "start_date_outcome",
    "income_subset",
    "reserve_bootstrap",
    "withdrawal_limit",
    "withdrawal_outcome",
    "simulation_partition",
    "simulation_path_band",
}
# A row per scenario, session and asset, which a view makes of other tables: read in the study `mixed` only.
TOO_LONG = {"simulation_holdings"}

# The first column names the row.
VALUES = {
    "scenarios": """
        select strategy || ' at ' || reserve, final_value, twr, sharpe, max_drawdown, dividends_and_interest_per_year,
            harvest_net_per_year, skipped_buys
        from report_strategy where reserve in (0, 0.3) order by strategy, reserve
    """,
    "sharpe by regime": """
        select strategy || ' at ' || reserve || ', ' || regime, sessions, episodes, sharpe
        from report_regime where reserve = 0.1 order by strategy, regime
    """,
    "sessions by regime": """
        select coalesce(regime, 'none'), count(*) as sessions from market_regime group by regime order by regime
    """,
    "attribution": """
        select strategy || ' at ' || reserve, sum(columns(['price_gain', 'income', 'costs', 'profit', 'contribution']))
        from report_attribution where reserve in (0, 0.3) group by strategy, reserve order by strategy, reserve
    """,
    "income smoothing": """
        select strategy || ' at ' || reserve, portfolios, correlation, slope, verdict from report_income_smoothing
    """,
    "verdicts on the reserve": """
        select strategy || ', ' || measure, best_reserve, difference_median, least_probability, verdict
        from report_reserve_verdict order by strategy, measure
    """,
}

MIXED: dict[str, Any] = {
    "name": "mixed",
    "start": "2017-01-01",
    "sessions": "union",
    "capital": 50_000,
    "benchmark": "VOO",
    "risk_free": "^IRX",
    "universe": {
        "VOO": {"weight": 0.5, "asset_class": "indices", "lot_size": 1},
        "NVDA": {"weight": 0.3, "asset_class": "stocks"},
        "BTC-USD": {"weight": 0.2, "asset_class": "crypto", "sd_n": 6},
    },
    "reserves": [0.0, 0.1, 0.3],
    "costs": {"bps": 5, "fixed": 1},
    "deposits": {"amount": 100, "every": "month"},
    "withdrawals": {"rate": 0.04, "every": "quarter", "coverage": 1, "shortfall": "overweight", "indexed": True},
    "bootstrap": {"histories": 12, "block": 10},
    "taxes": {"short_term": 0.35, "long_term": 0.15},
    "path_band": True,
    "strategies": {
        "buy_and_hold": {},
        "sd8": {"rule": {}},
        "on_credit": {"rule": {"variant": "ath_sell", "margin": {"limit": 0.25, "rate": 0.07}}, "lot_order": "fifo"},
        "target": {"rule": {}, "rebalance": {"deviation": {"width": 0.2}, "volatility": {"level": 0.3}}},
        "banded": {"rule": {}, "band": {"width": 0.05}, "rebalance": {"cost_aware": {"min_trade": 100}}},
        "watchful": {
            "rule": {"cash_low": 0.05, "stop": 0.25},
            "cash": {"high": 0.2, "candidates": ["NVDA"]},
            "drift": 0.4,
            "keep": "daily",
        },
        "sweep": {
            "rule": {"sd_n": [4, 12], "adaptive_bracket": True, "sizing": "symmetric"},
            "keep": "metrics",
        },
    },
}


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of price files for the tickers of `vision`."""
    return write_vision_prices(tmp_path_factory.mktemp("synthetic") / "prices")


# The ledgers of every shipped study


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_shipped_study_simulates_to_the_same_bits(file: Path, prices: Path) -> None:
    study = load_study(file)
    # What mixes decide comes from solvers; the tests of mixes trade it.
    scenarios = [scenario for scenario in study.scenarios if study.is_decided(scenario.strategy)]
    results = simulate(panel_of(study, prices), [resolve(study, scenario) for scenario in scenarios])
    found = {
        f"{scenario.reserve_key}|{scenario.strategy}": rows_hash([result.ledger, result.daily, result.lots])
        for scenario, result in zip(scenarios, results, strict=True)
    }
    difference = golden_files.difference(f"ledger_{file.stem}", found)
    assert not difference, difference


def test_every_shipped_study_has_its_ledgers_stored() -> None:
    stored = {file.stem.removeprefix("ledger_") for file in golden_files.FOLDER.glob("ledger_*.json")}
    assert stored == {file.stem for file in STUDIES}


def panel_of(study: Study, prices: Path) -> Panel:
    """Return a study's panel, from files in place of what would need a network."""
    source = CsvSource(prices) if study.source.kind == "yahoo" else open_source(study)
    histories = {ticker: fetch(source, study, ticker) for ticker in study.market_tickers}
    rate = fetch(source, study, study.rate_ticker) if study.rate_ticker else None
    market = build_market(study, histories, rate)
    return to_panel(study, market.sessions, market.prices, market.rates)


# The published tables; one test per study, so that no second process runs it again


def test_demo_run_whole_publishes_the_same_tables(tmp_path: Path) -> None:
    lab = Lab(PROJECT / "studies" / "demo.yaml", tmp_path)
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert lab.recorded_events() <= MOST_EVENTS
    difference = published_difference(lab, [name for name in TABLES if name not in TOO_LONG])
    assert not difference, difference


def test_study_with_what_the_demo_lacks_publishes_the_same_tables(prices: Path, tmp_path: Path) -> None:
    source = {"source": {"kind": "csv", "folder": str(prices)}, "price_index": str(prices / PRICE_INDEX)}
    lab = Lab(write_study(tmp_path / "mixed.yaml", MIXED | source), tmp_path / "home")
    for step in ("raw_prices", "prices", "simulations", "sweeps", "reserve_bootstrap"):  # one rebuild, at the end
        outcome = lab.sdlab("run", "--select", step)
        assert outcome.code == 0, outcome.err
    difference = published_difference(lab, TABLES)
    assert not difference, difference


def published_difference(lab: Lab, names: Iterable[str]) -> str:
    """Return how published tables, some of their values differ from those that are stored."""
    study = lab.home.study.name
    with duckdb.connect(str(lab.published), read_only=True) as connection:
        tables = {key: value for name in names for key, value in table_hashes(connection, name).items()}
        values = {title: rows(connection, query) for title, query in VALUES.items()}
    return golden_files.difference(f"{study}_tables", tables) + golden_files.difference(
        f"{study}_values", values | {"prices": prices_version(lab)}, TOLERANCE
    )


def table_hashes(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    """Return the number of rows, and a hash per column of the rows in the order of their key."""
    key = ", ".join(f'"{column}"' for column in TABLES[name].key)
    table = connection.sql(f"from {name} order by {key}").to_arrow_table()
    exact = (TABLES[name].layer == "staging" or name in PLAIN) and name not in FITTED
    hashes = column_hashes(table, table.column_names if exact else TABLES[name].key)
    return {name: table.num_rows} | {f"{name}.{column}": value for column, value in hashes.items()}


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a query by their first column."""
    found = connection.sql(query)
    return {row[0]: dict(zip(found.columns[1:], row[1:], strict=True)) for row in found.fetchall()}


def prices_version(lab: Lab) -> str:
    """Return the hash of the prices that the lake holds."""
    market = lab.home.lake.current("market")
    assert market
    return str(market.facts["prices_version"])
