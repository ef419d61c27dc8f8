"""Put the last target weights of a mix under stress: past falls, block draws, correlations, benchmark, largest holding.

The arithmetic belongs in ``sd_core.analytics.stress``; which episodes there are in ``sql``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.steps.mixes import history_of
from sd_core.analytics.stress import exposure_to, gathered, outcomes_of_draws, replayed, with_higher_correlations
from sd_core.construction.history import History, look_back
from sd_core.lake import Version
from sd_core.market.arrays import Floats
from sd_core.schemas.stress import STRESS_MIX
from sd_core.study.model import Study

if TYPE_CHECKING:
    from pipelines.steps.derived import Tables

DRAWS, LENGTH, WORST = 10_000, 21, 0.01
FALL_OF_BENCHMARK, FALL_OF_LARGEST = -0.20, -0.10
# Returns that correlations, beta and the copula are estimated from: those of the last two years; and fewest of them.
WINDOW, FEWEST = 504, 60
# Assets of a vine, which takes seconds with more; the smaller holdings are one more, held in proportion.
MOST_IN_VINE = 20


class Targets(NamedTuple):
    """Target weights, shape (assets,), and the session at whose close they were decided on."""

    decided: dt.date
    weights: Floats


def last_targets(stored: Mapping[str, Version], mix: str) -> Targets | None:
    """Return what a mix decided last, None where nothing that is stored of it is current, or it decided nothing."""
    rows = stored[mix].read("mix_weight") if mix in stored else None
    if rows is None or not rows.num_rows:
        return None
    sessions = rows["decided_session"].to_numpy()
    last = sessions == sessions.max()
    return Targets(sessions.max().astype("datetime64[D]").item(), rows["weight"].to_numpy()[last])


def stress_mix(study: Study, market: Version, mix: str, targets: Targets | None) -> "Tables":
    """Return what the last targets of a mix would do under stress; no row where it decided nothing yet."""
    rows = []
    if targets is not None:
        # The warehouse's models take long to parse, and whether this is outdated is asked of this module.
        from pipelines.steps.fit import evaluated

        returns, episodes, benchmark = evaluated(study, market, "asset_returns", "stress_episode", "benchmark_daily")
        case = _Case(history_of(study, market, returns), targets.weights, benchmark, study.bootstrap.seed)
        named = {"mix": mix, "decided_session": targets.decided}
        rows = [{**named, **row} for row in (*_replays(case, episodes), *_stresses(case))]
    return {STRESS_MIX.name: pa.Table.from_pylist(rows, STRESS_MIX.arrow_schema)}


class _Case(NamedTuple):
    history: History
    weights: Floats
    benchmark: pa.Table
    seed: int

    @property
    def cash(self) -> Floats:
        return self.history.cash


def _replays(case: _Case, episodes: pa.Table) -> Iterator[dict[str, Any]]:
    history = case.history
    for episode in episodes.to_pylist():
        row = {"stress": episode["episode"], "kind": "replay"}
        if episode["missing"] is not None:
            yield {**row, "assumed": "the window again", "missing": episode["missing"]}
            continue
        ends = [np.datetime64(episode[name], "D") for name in ("first_session", "last_session")]
        first, last = np.searchsorted(history.sessions, ends) + 1
        returns, cash = history.returns[first:last], history.cash[first:last]
        own = replayed(returns, cash, case.weights)
        yield {
            **row,
            "assumed": f"{episode['first_session']} to {episode['last_session']} again",
            "sessions": episode["sessions"],
            "mix_return": own.total,
            "max_drawdown": own.max_drawdown,
            "universe_return": replayed(returns, cash, history.weights).total,
            "benchmark_return": episode["benchmark_return"],
        }


def _stresses(case: _Case) -> Iterator[dict[str, Any]]:
    yield {"stress": "draws", "kind": "draws", "assumed": f"the worst 1 % of {LENGTH} sessions", **_draws(case)}
    yield {"stress": "correlation", "kind": "correlation", "assumed": "every correlation half-way to 1"} | _higher(case)
    fall = f"the benchmark {FALL_OF_BENCHMARK * 100:.0f} %"
    yield {"stress": "benchmark", "kind": "benchmark", "assumed": fall, **_benchmark(case)}
    yield {"stress": "largest", "kind": "largest", **_largest(case)}


def _draws(case: _Case) -> dict[str, Any]:
    """Return the mean of the worst 1 % of many stretches of sessions, drawn in blocks as bootstrap samples are."""
    from sd_core.resampling.histories import block_of, draw_sessions

    returns, cash = case.history.returns[1:], case.history.cash[1:]
    if len(returns) < FEWEST:
        return {"missing": f"fewer than {FEWEST} returns"}
    block = block_of(returns @ case.weights)
    [drawn] = draw_sessions(len(returns) + 1, block, 1, case.seed, length=DRAWS * LENGTH)
    stretches = drawn.reshape(DRAWS, LENGTH) - 1
    worst = int(DRAWS * WORST)
    own, universe = (
        np.sort(outcomes_of_draws(returns, cash, weights, stretches))[:worst]
        for weights in (case.weights, case.history.weights)
    )
    return {
        "sessions": LENGTH,
        "mix_return": float(own.mean()),
        "mix_return_low": float(own[0]),
        "mix_return_high": float(own[-1]),
        "universe_return": float(universe.mean()),
        "samples": DRAWS,
        "observations": len(returns),
    }


def _higher(case: _Case) -> dict[str, Any]:
    seen = _seen(case)
    if isinstance(seen, str):
        return {"missing": seen}
    returns, weights = seen
    found = with_higher_correlations(returns, weights)
    scale = np.sqrt(case.history.periods_per_year)
    return {
        "volatility": found.now * scale,
        "stressed_volatility": found.stressed * scale,
        "observations": len(returns),
    }


def _seen(case: _Case) -> tuple[Floats, Floats] | str:
    """Return the common returns of the assets held and their weights, the heaviest first, or why there are none."""
    history = case.history
    held = np.flatnonzero(case.weights > 0)
    if not len(held):
        return "nothing is held"
    last = len(history.sessions) - 1
    window = look_back(history, last, min(WINDOW, last))
    for asset in held:
        if (ticker := history.tickers[asset]) in window.excluded:
            return f"{ticker}: {window.excluded[ticker]}"
    if len(window.returns) < FEWEST:
        return f"fewer than {FEWEST} common returns"
    heaviest = held[np.argsort(-case.weights[held], kind="stable")]
    columns = np.searchsorted(window.assets, heaviest)
    return np.ascontiguousarray(window.returns[:, columns]), case.weights[heaviest]


def _benchmark(case: _Case) -> dict[str, Any]:
    """Return what weights lose with the benchmark, by their beta over the sessions on which it has a close."""
    history, at = case.history, case.benchmark
    level = at["level"].to_numpy(zero_copy_only=False).astype(float)
    known = np.flatnonzero(at["has_close"].to_numpy(zero_copy_only=False).astype(bool) & np.isfinite(level))
    known = known[-(WINDOW + 1) :]
    if len(known) <= FEWEST:
        return {"missing": f"fewer than {FEWEST} returns of the benchmark"}
    cash = _between(history.cash, known)
    found = [
        exposure_to(
            _between_levels(level, known), cash, _between(history.returns @ weights + bank * history.cash, known)
        )
        for weights in (case.weights, history.weights)
        for bank in (max(0.0, 1.0 - weights.sum()),)
    ]
    own, universe = found
    if own is None or universe is None:
        return {"missing": "the benchmark does not move"}
    return {
        "mix_return": own.beta * FALL_OF_BENCHMARK,
        "mix_return_low": (own.beta + own.margin) * FALL_OF_BENCHMARK,
        "mix_return_high": (own.beta - own.margin) * FALL_OF_BENCHMARK,
        "universe_return": universe.beta * FALL_OF_BENCHMARK,
        "benchmark_return": FALL_OF_BENCHMARK,
        "beta": own.beta,
        "beta_margin": own.margin,
        "observations": len(known) - 1,
    }


def _between(returns: Floats, places: np.ndarray) -> Floats:
    """Return what returns by session come to between places."""
    return _between_levels(np.asarray(np.cumprod(1.0 + np.nan_to_num(returns))), places)


def _between_levels(levels: Floats, places: np.ndarray) -> Floats:
    return np.asarray(levels[places[1:]] / levels[places[:-1]] - 1.0)


def _largest(case: _Case) -> dict[str, Any]:
    """Return what weights do on a session on which the heaviest asset falls, by a vine copula of what is held."""
    largest = int(np.argmax(case.weights))
    assumed = {"assumed": f"{case.history.tickers[largest]} {FALL_OF_LARGEST * 100:.0f} %"}
    seen = _seen(case)
    if isinstance(seen, str):
        return {**assumed, "missing": seen}
    returns, weights = gathered(*seen, MOST_IN_VINE)
    if len(weights) == 1:
        outcomes = weights * FALL_OF_LARGEST
    else:
        from sd_core.construction.copula import returns_given_fall

        outcomes = returns_given_fall(returns, 0, FALL_OF_LARGEST) @ weights
    low, high = np.quantile(outcomes, [0.05, 0.95])
    return {
        **assumed,
        "sessions": 1,
        "mix_return": float(outcomes.mean()),
        "mix_return_low": float(low),
        "mix_return_high": float(high),
        "samples": len(outcomes),
        "observations": len(returns),
    }
