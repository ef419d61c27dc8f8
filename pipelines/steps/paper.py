"""Freeze what strategies on paper decide: once, before the next session where a run comes in time, and never again.

A backtest knows the past that its rules were chosen on. Only what was written down before the prices that judge it is a
test of these rules.
"""

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.lab.current import PAPER, SIMULATIONS, current_scenarios, lake_key, read_panel
from pipelines.steps.datasets import MIXES, decided
from pipelines.warehouse.lake_views import register_files, register_table
from sd_core.calendars import session_opens
from sd_core.errors import MovedError
from sd_core.lake import Lake, Version
from sd_core.market.arrays import Dates, last_known
from sd_core.market.panel import Panel
from sd_core.market.sessions import session_after
from sd_core.schemas.kinds import LEG_CLOSE, Kind
from sd_core.schemas.paper import PAPER_DECISION, PAPER_ORDER, PAPER_TABLES
from sd_core.simulation.engine import simulate
from sd_core.simulation.orders import next_orders
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Rules, resolve
from sd_core.simulation.targets import Targets
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario


def freeze(study: Study, lake: Lake, market: Version, now: dt.datetime | None = None) -> list[Scenario]:
    """Write down what each scenario on paper decided at the last close, where that is not written down yet.

    The caller holds the lake's shared lock. Of two runs that would write the same decision, one does.

    Args:
        study: with the strategies in ``paper``.
        lake: the study's lake.
        market: what it holds of prices.
        now: the time, UTC; that of the machine by default.

    Returns:
        The scenarios of which a decision was written. Those that are not simulated on the present prices decide
        nothing, and neither does any where the calendar knows no next session.
    """
    if not study.paper:
        return []
    study = decided(study, lake, market)
    panel = read_panel(study, market)
    following = session_after(study.sessions, panel.sessions)
    if following is None:
        return []
    night = panel.sessions[-1].item().isoformat()
    written = []
    for scenario, version in _simulated(study, lake, market):
        key = f"{lake_key(scenario)}/{night}"
        if lake.current(PAPER, key) is None:
            recorded = now or dt.datetime.now(dt.UTC)
            noted = {
                "next_session": following,
                **{name: version.facts[name] for name in ("prices_version", "study_hash", "engine_version")},
                "recorded_at": recorded.strftime("%Y-%m-%d %H:%M:%S"),
                "in_time": recorded < session_opens(study.sessions, following),
            }
            tables = _tables(study, lake, market, panel, scenario, noted)
            with contextlib.suppress(MovedError):  # frozen by another process meanwhile, which is as good
                lake.write(PAPER, key, tables, {"night": night}, instead_of=None)
                written.append(scenario)
    return written


def register_paper(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Show all that was ever frozen, of whatever strategy, to SQL models.

    Raises:
        DamagedError: a file is not the one that was written.
    """
    versions = [version for key in lake.keys(PAPER) if (version := lake.current(PAPER, key)) is not None]
    for version in versions:
        version.verify()
    for table in PAPER_TABLES:
        if versions:
            register_files(connection, table.name, [version.file(table.name) for version in versions])
        else:
            register_table(connection, table.name, table.arrow_schema.empty_table())


def _simulated(study: Study, lake: Lake, market: Version) -> Iterator[tuple[Scenario, Version]]:
    """Yield the scenarios on paper that the lake holds as the study asks for them now."""
    for scenario in study.scenarios:
        if scenario.strategy in study.paper:
            version = lake.current(SIMULATIONS, lake_key(scenario))
            if version is not None and current_scenarios(study, {scenario: version}, market):
                yield scenario, version


def _tables(
    study: Study, lake: Lake, market: Version, panel: Panel, scenario: Scenario, noted: dict[str, Any]
) -> dict[str, pa.Table]:
    """Return the decision of a scenario at the last close, and the orders that it implies."""
    following: dt.date = noted["next_session"]
    rules = _with_last_decision(study, lake, market, scenario, resolve(study, scenario), following)
    (result,) = simulate(panel, [rules], workers=1)
    assert result.state is not None
    closes = last_known(panel.close)[-1]
    weights = rules.targets.in_force(np.datetime64(following))
    decided_session = panel.sessions[-1].item()
    of_all = {**scenario._asdict(), "decided_session": decided_session}
    rows = [
        {
            **of_all,
            **noted,
            "ticker": ticker,
            "weight": float(weights[asset]),
            "worth": float(result.state.holdings[asset] * closes[asset]),
            "value": float(result.daily["value"][-1]),
        }
        for asset, ticker in enumerate(panel.tickers)
    ]
    orders = [*_limits(panel, rules, result, following), *_closes(panel, rules, result, following)]
    return {
        PAPER_DECISION.name: pa.Table.from_pylist(rows, PAPER_DECISION.arrow_schema),
        PAPER_ORDER.name: pa.Table.from_pylist(
            [{**of_all, "place": place, **order} for place, order in enumerate(orders, start=1)],
            PAPER_ORDER.arrow_schema,
        ),
    }


def _with_last_decision(
    study: Study, lake: Lake, market: Version, scenario: Scenario, rules: Rules, following: dt.date
) -> Rules:
    """Return rules whose targets have what the strategy's mix decided at the last close, for the next one."""
    mix = study.strategies[scenario.strategy].mix
    if mix is None:
        return rules
    version = MIXES.current(study, lake, market)[mix]
    pending = [row["decided_session"] for row in version.read("mix_fit").to_pylist() if not row["effective_session"]]
    if not pending:
        return rules
    weights = {
        row["ticker"]: row["weight"]
        for row in version.read("mix_weight").to_pylist()
        if row["decided_session"] == pending[0]
    }
    row = np.array([[weights.get(ticker, 0.0) for ticker in study.tickers]])
    sessions: Dates = np.append(rules.targets.sessions, np.datetime64(following))
    return replace(rules, targets=Targets(sessions, np.concatenate([rules.targets.weights, row])))


def _limits(panel: Panel, rules: Rules, result: SimulationResult, following: dt.date) -> Iterator[dict[str, Any]]:
    """Yield the orders of the rule, which trade wherever the price reaches their limit."""
    assert result.state is not None
    for order in next_orders(result.state, rules, panel, following):
        yield {
            "ticker": panel.tickers[order.asset],
            "kind": (Kind.SELL if order.quantity < 0 else Kind.BUY).name,
            "trades_at": "limit",
            "quantity": order.quantity,
            "price": order.limit,
            "fee": order.fee,
            "restraint": order.restraint,
        }


def _closes(panel: Panel, rules: Rules, result: SimulationResult, following: dt.date) -> Iterator[dict[str, Any]]:
    """Yield what is traded at the next close if no price changes until then: what the engine itself would book."""
    assert result.state is not None
    (tomorrow,) = simulate(_with_flat_session(panel, following), [rules], workers=1, states=[result.state])
    for row in tomorrow.ledger[(tomorrow.ledger["leg"] == LEG_CLOSE) & ~np.isnan(tomorrow.ledger["quantity"])]:
        yield {
            "ticker": panel.tickers[row["asset"]],
            "kind": Kind(row["kind"]).name,
            "trades_at": "close",
            "quantity": float(row["quantity"]),
            "price": float(row["price"]),
            "fee": float(row["fee"]),
            "restraint": None,
        }


def _with_flat_session(panel: Panel, following: dt.date) -> Panel:
    """Return a panel with one more session at its end, on which every price stays where it was."""
    flat = last_known(panel.close)[-1:]
    index = panel.price_index
    return replace(
        panel,
        sessions=np.append(panel.sessions, np.datetime64(following)),
        open=np.concatenate([panel.open, flat]),
        high=np.concatenate([panel.high, flat]),
        low=np.concatenate([panel.low, flat]),
        close=np.concatenate([panel.close, flat]),
        dividends=np.concatenate([panel.dividends, np.zeros_like(flat)]),
        rates=np.append(panel.rates, panel.rates[-1]),
        price_index=None if index is None else np.append(index, index[-1]),
    )
