"""What mixes decide, traded by both engines: the same rows, and the weights that were decided on."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import plain_engine
import pytest
from support.generators import Case, panel_of, random_case, rules_of
from support.lab import PROJECT
from support.ledger_readings import held_by_session
from support.pasts import decided_among, past

from sd_core.construction.asked import first_points
from sd_core.construction.history import History
from sd_core.construction.rounding import WHOLE
from sd_core.market.arrays import last_known
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Variant
from sd_core.simulation.targets import Targets
from sd_core.study.mixes import Mix

CASES, CHUNK = 100, 25
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
    return Case(panel, dataclasses.replace(base.rules, targets=targets))


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


def without_dust(ledger: np.ndarray) -> np.ndarray:
    """Return the rows but for trades of what rounding has left."""
    return ledger[~(np.abs(ledger["quantity"]) < 1e-12)]


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_engines_agree_on_what_random_mixes_decide(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = random_mix_case(seed)
        (fast,) = simulate(case.panel, [case.rules])
        slow = plain_engine.simulate(case.panel, case.rules)
        richest = slow.daily["value"].max()
        ledgers = [without_dust(one.ledger) for one in (fast, slow)]
        for column in ("session", "leg", "kind", "asset"):
            np.testing.assert_array_equal(*(one[column] for one in ledgers), err_msg=f"random_mix_case({seed})")
        for ours, theirs in (ledgers, (fast.daily, slow.daily)):
            for column in [name for name in theirs.dtype.names if theirs.dtype[name].kind == "f"]:
                rounding = 1e-9 + 1e-13 * richest
                np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-9, atol=rounding, err_msg=column)


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


THREADS = """
import hashlib, sys
sys.path.insert(0, "tests")
from support.pasts import decided_among, past
from sd_core.construction.asked import Asked
from sd_core.construction.side_by_side import Task, decide_one
from sd_core.study.mixes import Mix

parts = hashlib.sha256()
draw = past(400, 5)
for method in ("risk_budget", "kelly"):
    mixes = {"own": Mix(method=method, window=252, every="quarter")}
    for table in decide_one(Task(draw, Asked("own", mixes), {})).values():
        parts.update(str(table.to_pylist()).encode())
print(parts.hexdigest())
"""


def test_number_of_blas_threads_changes_no_bit_of_a_decision():
    found = {
        subprocess.run(
            [sys.executable, "-c", THREADS],
            cwd=PROJECT,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 64
