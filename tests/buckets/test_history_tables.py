"""The tables of a plan: a real core between its satellites, and what must hold of both together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.generators import panel_of, rules_of
from support.satellite_plans import PlanCase, random_plan

from pipelines.warehouse.audit import as_frame
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.history.tables import to_tables
from sd_core.market.panel import Panel
from sd_core.schemas.buckets import BUCKET_TABLES
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate as simulate_scenarios
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Every, Rules
from sd_core.simulation.walk import Walk

SEEDS = range(12)


def core_of(case: PlanCase) -> tuple[Panel, Rules]:
    """Return prices and rules of a core on the case's sessions: two assets that pay, and withdrawals."""
    rng = np.random.default_rng(len(case.panel.sessions))
    closes = 100.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.01, (2, len(case.panel.sessions))), axis=1))
    dividends = np.zeros(closes.T.shape)
    dividends[40::63] = 0.4
    panel = panel_of(*closes.tolist(), sessions=case.panel.sessions, dividends=dividends, rates=0.03)
    withdrawals = {"withdrawal": 200.0, "withdrawal_every": Every.MONTH}
    return panel, rules_of(assets=2, capital=case.plan.core_capital, reserve=0.1, **withdrawals)


def tables_of(case: PlanCase) -> tuple[dict[str, pd.DataFrame], SimulationResult]:
    panel, rules = core_of(case)
    walk = Walk(panel, rules)
    history = simulate(case.plan, case.panel, case.signals, case.deposits, walk)
    core = walk.result()
    arrow = to_tables(case.plan, case.panel.tickers, case.panel.sessions, case.deposits, history, panel.tickers, core)
    # As the warehouse has them, whose whole numbers are wider.
    wide = {table.name: table.published().arrow_schema for table in BUCKET_TABLES}
    return {name: as_frame(table.cast(wide[name])) for name, table in arrow.items()}, core


@pytest.fixture(scope="module", params=SEEDS)
def run(request):
    case = random_plan(request.param)
    return case, *tables_of(case)


def test_rows_pass_their_declarations(run):
    _, tables, _ = run
    for declared in BUCKET_TABLES:
        table = declared.published()
        table.schema.validate(tables[table.name], lazy=True)
        assert not tables[table.name].duplicated(list(table.key)).any()


def test_cash_of_every_bucket_follows_its_rows(run):
    case, tables, _ = run
    ledger, daily = tables["bucket_ledger"], tables["bucket_daily"]
    for bucket, rows in ledger.groupby("bucket"):
        start = case.plan.core_capital if bucket == "core" else 0.0
        np.testing.assert_allclose(rows["cash_after"], start + rows["amount"].cumsum(), atol=1e-6)
        closing = rows.groupby("session")["cash_after"].last()
        marked = daily[daily["bucket"] == bucket].set_index("session")["cash"]
        np.testing.assert_allclose(marked[closing.index], closing, atol=1e-6)


def test_what_moves_between_buckets_cancels(run):
    _, tables, _ = run
    ledger = tables["bucket_ledger"]
    inside = ledger[ledger["counterparty"] != "outside"]
    np.testing.assert_allclose(inside.groupby("session")["amount"].sum(), 0.0, atol=1e-6)
    for _, rows in inside.groupby(["session", "bucket", "counterparty", "kind"]):
        first = rows.iloc[0]
        back = inside[
            (inside["session"] == first["session"])
            & (inside["bucket"] == first["counterparty"])
            & (inside["counterparty"] == first["bucket"])
            & (inside["kind"] == first["kind"])
        ]
        assert rows["amount"].sum() == pytest.approx(-back["amount"].sum(), abs=1e-9)


def test_shares_and_targets_of_all_buckets_add_up_to_one(run):
    case, tables, _ = run
    daily = tables["bucket_daily"].groupby("session")
    np.testing.assert_allclose(daily["share"].sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(daily["target"].sum(), 1.0, rtol=1e-12)
    assert (daily.size() == 1 + len(case.plan.satellites)).all()


def test_deposits_reach_buckets_whole(run):
    case, tables, _ = run
    ledger = tables["bucket_ledger"]
    came = ledger[ledger["kind"] == Kind.DEPOSIT.name].groupby("session")["amount"].sum()
    expected = pd.Series(case.deposits, index=case.panel.sessions.astype("datetime64[ms]"))
    np.testing.assert_allclose(came, expected[expected > 0], rtol=1e-12)


def test_plan_without_satellites_and_deposits_has_the_scenarios_ledger():
    """To the last bit, in every column that both tables have."""
    case = random_plan(3)
    alone = replace(case, plan=replace(case.plan, satellites=()), deposits=np.zeros_like(case.deposits))
    tables, core = tables_of(alone)
    panel, rules = core_of(alone)
    (scenario,) = simulate_scenarios(panel, [rules])
    assert core.ledger.tobytes() == scenario.ledger.tobytes()
    ledger = tables["bucket_ledger"]
    for column in ("leg", "quantity", "price", "fee", "amount"):
        assert (
            ledger[column].to_numpy().astype(scenario.ledger[column].dtype).tobytes()
            == scenario.ledger[column].tobytes()
        )
    assert ledger["cash_after"].to_numpy().tobytes() == scenario.ledger["bank_after"].tobytes()
    assert ledger["kind"].tolist() == [Kind(kind).name for kind in scenario.ledger["kind"]]
    assert (
        ledger["session"].to_numpy().astype("datetime64[D]").tolist()
        == panel.sessions[scenario.ledger["session"]].tolist()
    )
    assert set(ledger["bucket"]) == {"core"}
