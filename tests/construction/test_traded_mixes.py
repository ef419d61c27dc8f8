"""What mixes decide, traded by both engines: the same rows, and the weights that were decided on."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import plain_engine
import pytest
from support.generators import Case, panel_of, random_case, rules_of
from support.lab import PROJECT
from support.ledger_readings import held_by_session
from support.pasts import decided_among, past
from threadpoolctl import threadpool_info, threadpool_limits

from sd_core.construction.asked import Asked, first_points
from sd_core.construction.history import History
from sd_core.construction.rounding import WHOLE
from sd_core.construction.side_by_side import Task, decide_one
from sd_core.market.arrays import last_known
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import NO_SUBSTITUTE, Every, Variant
from sd_core.simulation.targets import Targets
from sd_core.study.mixes import Mix

CASES, CHUNK = 300, 50
# A year of sessions, of which the first months are windows of their own.
SESSIONS = 260


def random_mixes(rng: np.random.Generator) -> tuple[dict, str]:
    """Return mixes that look at each other, and which of them is traded."""
    window = {"window": int(rng.integers(20, 60))}
    scaled = [{}, {"volatility_target": float(rng.uniform(0.02, 0.3))}, {"defence": {"on": 0.6, "off": 0.4}}]
    mixes = {
        "alike": {"until_fitted": str(rng.choice(["universe", "equal"]))},
        "calm": {"method": "inverse_volatility", "covariance": "sample", **window, **rng.choice(scaled)},
        "paced": {"method": "proportional", **window, **rng.choice(scaled)},
        "best": {"method": "equal", "select": {"signal": "one", "top": int(rng.integers(1, 4))}, **window},
        "tide": {
            "method": "regime",
            "of": {"bull": "paced", "bear": "calm"},
            "otherwise": "best",
            "confirm": int(rng.integers(1, 6)),
        },
        "mixed": {"method": "blend", "of": {"tide": float(rng.uniform(0.1, 3.0)), "calm": 1}, **rng.choice(scaled)},
    }
    return mixes, str(rng.choice(list(mixes)))


def random_mix_case(seed: int) -> Case:
    """Return a panel of a year and rules of any kind that trade what a mix decided on its closes."""
    rng = np.random.default_rng([seed, 12])
    base = next(case for case in map(random_case, range(9 * seed, 9 * seed + 1000)) if len(case.panel.tickers) <= 5)
    assets = len(base.panel.tickers)
    sessions = np.busday_offset("2019-01-01", np.arange(SESSIONS), roll="forward")
    steps = rng.normal(0, rng.choice([0.003, 0.01, 0.03]), (assets, SESSIONS, 4))
    visited = 100 * np.exp(np.cumsum(steps.reshape(assets, -1), axis=1)).reshape(steps.shape)
    bars = np.stack([visited[..., 0], visited.max(axis=2), visited.min(axis=2), visited[..., -1]], axis=2)
    panel = panel_of(*bars.tolist(), sessions=sessions, rates=0.02)
    weights = base.rules.targets.weights[0]
    history = history_of(panel.close, sessions, weights / weights.sum() if weights.sum() > 0 else None)
    mixes, name = random_mixes(rng)
    decisions = decided_among(history, mixes, name)
    known = {one: Mix(**keys) for one, keys in mixes.items()}
    rows = {sessions[0] - 1: first_points(history.weights, name, known) / WHOLE}
    rows |= {sessions[one.place + 1]: one.points / WHOLE for one in decisions if one.place + 1 < SESSIONS}
    targets = Targets(np.array(list(rows), "datetime64[D]"), np.array(list(rows.values())))
    rules = dataclasses.replace(base.rules, targets=targets)
    return Case(panel, dataclasses.replace(rules, **patient_and_harvesting(rng, assets)) if seed % 2 else rules)


def patient_and_harvesting(rng: np.random.Generator, assets: int) -> dict[str, Any]:
    """Return a trigger whose trades wait, and losses that are harvested each month, into substitutes where some are."""
    substitutes = np.full(assets, NO_SUBSTITUTE)
    paired = rng.permutation(assets)[: 2 * rng.integers(assets // 2 + 1)].reshape(-1, 2)
    substitutes[paired] = paired[:, ::-1]
    return {
        "rebalance_on_change": True,
        "patience": int(rng.integers(1, 30)),
        "patience_mean": int(rng.integers(2, 13)),
        "harvest_every": Every.MONTH,
        "harvest_loss": float(rng.uniform(0.001, 0.1)),
        "substitutes": tuple(substitutes.tolist()) if len(paired) else (),
    }


def history_of(close: np.ndarray, sessions: np.ndarray, weights: np.ndarray | None = None) -> History:
    known = last_known(close)
    returns = np.vstack([np.full(close.shape[1], np.nan), known[1:] / known[:-1] - 1])
    count = close.shape[1]
    equal = np.full(count, 1 / count)
    return dataclasses.replace(
        past(len(sessions), count),
        sessions=sessions,
        returns=returns,
        has_bar=~np.isnan(close),
        weights=equal if weights is None else weights,
    )


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_engines_agree_on_what_random_mixes_decide(chunk):
    harvests = waits = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = random_mix_case(seed)
        (fast,) = simulate(case.panel, [case.rules])
        slow = plain_engine.simulate(case.panel, case.rules)
        richest = slow.daily["value"].max()
        for column in ("session", "leg", "kind", "asset"):
            np.testing.assert_array_equal(fast.ledger[column], slow.ledger[column], err_msg=f"random_mix_case({seed})")
        for ours, theirs in ((fast.ledger, slow.ledger), (fast.daily, slow.daily)):
            for column in [name for name in theirs.dtype.names if theirs.dtype[name].kind == "f"]:
                rounding = 1e-9 + 1e-13 * richest
                np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-9, atol=rounding, err_msg=column)
        harvests += bool((fast.ledger["kind"] == Kind.HARVEST_SELL).any())
        waits += case.rules.patience > 0 and bool((fast.ledger["kind"] == Kind.REBALANCE_BUY).any())
    assert harvests >= CHUNK // 3
    assert waits >= CHUNK // 3


@pytest.mark.parametrize("engine", [plain_engine.simulate, lambda panel, rules: next(iter(simulate(panel, [rules])))])
@pytest.mark.parametrize("name", ["calm", "paced", "mixed"])
def test_trades_meet_the_weights_where_nothing_costs_and_lots_are_whole(engine, name):
    case = random_mix_case(8)
    sessions = case.panel.sessions
    history = history_of(case.panel.close, sessions)
    decisions = decided_among(history, random_mixes(np.random.default_rng(8))[0], name)
    count = len(history.tickers)
    rows = {sessions[0] - 1: np.full(count, 1 / count)}
    rows |= {sessions[one.place + 1]: one.points / WHOLE for one in decisions if one.place + 1 < SESSIONS}
    targets = Targets(np.array(list(rows), "datetime64[D]"), np.array(list(rows.values())))
    rules = rules_of(targets=targets, variant=Variant.NO_RULE, rebalance_on_change=True)
    result = engine(case.panel, rules)
    held = held_by_session(case.panel, result.ledger)
    traded = np.unique(result.ledger["session"][result.ledger["kind"] == Kind.REBALANCE_SELL])
    assert len(traded) >= 3
    for session in traded:
        worth = held[session] * case.panel.close[session]
        weights = targets.in_force(sessions[session])
        assert worth / result.daily["value"][session] == pytest.approx(weights, abs=1e-9)


METHODS = (
    {"method": "inverse_volatility"},
    {"method": "mean_risk", "max_turnover": 0.3},
    {"method": "mean_risk", "objective": "max_ratio"},
    {"method": "mean_risk", "risk": "cvar"},
    {"method": "risk_budget"},
    {"method": "max_diversification"},
    {"method": "hrp"},
    {"method": "nco"},
    {"method": "kelly", "fraction": 0.5},
)


@cache
def decided_with(threads: int) -> tuple[list[str], str, np.ndarray]:
    """Return the kernels of linear algebra, a hash of all that is decided to the last bit, and the basis points."""
    exact, points, draw = hashlib.sha256(), [], past(760, 5)
    with threadpool_limits(threads):
        for keys in METHODS:
            tables = decide_one(Task(draw, Asked("own", {"own": Mix(window=252, **keys)}), {}))
            for table in tables.values():
                exact.update(str(table.to_pylist()).encode())
            points += [round(10_000 * weight) for weight in tables["mix_weight"]["weight"].to_pylist()]
    kernels = [one.get("architecture") for one in threadpool_info() if one["internal_api"] == "openblas"]
    return kernels, exact.hexdigest(), np.array(points)


ELSEWHERE = """
import json, sys
sys.path[:0] = ["tests", "tests/construction"]
from test_traded_mixes import decided_with
kernels, _, points = decided_with(threads=1)
print(json.dumps([kernels, points.tolist()]))
"""


def test_number_of_blas_threads_changes_no_bit_of_a_decision():
    (_, one, points), (_, two, _) = decided_with(threads=1), decided_with(threads=2)
    assert one == two
    assert len(points) >= 1_000


def test_another_kernel_of_linear_algebra_changes_at_most_one_weight_in_a_thousand():
    # A kernel that every x86-64 processor has.
    env = os.environ | {"OPENBLAS_CORETYPE": "Sandybridge"}
    said = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=PROJECT, env=env, stdout=subprocess.PIPE, check=True)
    others, theirs = json.loads(said.stdout)
    kernels, _, points = decided_with(threads=1)
    if not kernels or kernels == others:
        pytest.skip(f"numpy's linear algebra has one kernel here: {kernels or 'not OpenBLAS'}")
    assert (points != np.array(theirs)).sum() <= len(points) / 1_000
