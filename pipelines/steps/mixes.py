"""Decide on target weights: what each mix of a study makes of the past prices in the lake.

Returns and regimes come from SQL, evaluated in memory; how weights follow from them belongs in
``sd_core.construction``.
"""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.steps.progress import Progress
from pipelines.steps.signal_tables import signal_settings
from sd_core import versions
from sd_core.construction.asked import Asked
from sd_core.construction.hashes import library_versions, settings_of
from sd_core.construction.history import History
from sd_core.construction.scores import read_scores
from sd_core.construction.side_by_side import Task, decide_all, decide_one
from sd_core.construction.signals import Signals, signals_from
from sd_core.construction.switches import Market
from sd_core.construction.tables import known_decisions, part_decisions, targets_in_force
from sd_core.errors import NotReadyError
from sd_core.lake import Version
from sd_core.market.arrays import Floats, pivot
from sd_core.market.panel import periods_per_year
from sd_core.market.sessions import session_after
from sd_core.market.sources.states import file_state
from sd_core.schemas.lake import VARIANCE_STATE
from sd_core.schemas.mixes import MIX_FRONTIER
from sd_core.study.model import Decisions, Study

if TYPE_CHECKING:
    from pipelines.steps.derived import Tables


def mix_settings(study: Study) -> dict[str, Any]:
    """Return what the first mix of a study depends on besides prices; the others may answer for it, or are parts."""
    assets = {ticker: [asset.asset_class, asset.weight] for ticker, asset in study.universe.items()}
    scores = {name: file_state(Path(mix.scores.file)) for name, mix in study.mixes.items() if mix.scores is not None}
    asks = any(mix.asks_of_market for mix in study.mixes.values())
    names = signals_of(study)
    return {
        "mixes": [{"name": name, **settings_of(mix)} for name, mix in study.mixes.items()],
        "assets": list(assets.items()),
        "scores": scores,
        "market": [study.benchmark, versions.VARIANCE_STATE] if asks else None,
        "signals": signal_settings(study, names) if names else None,
        "costs": study.costs.bps if any(mix.cost_aware for mix in study.mixes.values()) else None,
        "libraries": library_versions(),
    }


def signals_of(study: Study) -> tuple[str, ...]:
    """Return every signal that some mix of a study reads, each once."""
    return tuple(dict.fromkeys(name for mix in study.mixes.values() for name in mix.signals))


def decide_mixes(
    parts: Mapping[str, Study],
    market: Version,
    variance: Version | None,
    signals: Mapping[str, pa.Table],
    stored: Mapping[str, Version],
    before: Mapping[str, Version],
    progress: Progress,
) -> Iterator[tuple[str, "Tables"]]:
    """Yield what mixes decide, each as it is done; one that combines others after those.

    Args:
        parts: by the name of each mix, the study with it, what may answer for it, and what it combines.
        market: of the study.
        variance: the state of variance; None where no mix looks at it.
        signals: the tables ``signal`` and ``signal_ic`` with the signals that mixes read; none where they read none.
        stored: what is current of other mixes, by name.
        before: what was decided before, by name; decisions are taken over where nothing of them has changed.
        progress: hears what is done.
    """
    history, of_market = _evaluated(parts, market, variance)
    said = signals_from(history.tickers, **signals) if signals else None
    made: dict[str, Tables] = {}

    def task(name: str) -> Task:
        stored_before = before.get(name)
        known = {} if stored_before is None else known_decisions(history, _tables(stored_before))
        return Task(history, _asked(parts[name], said, of_market, made), known)

    fitted = [name for name, study in parts.items() if not study.mixes[name].is_composite]
    for name, tables in decide_all([task(name) for name in fitted], progress):
        made[name] = tables
        yield name, tables
    for name in _parts_first(parts):
        for part in parts[name].mixes[name].parts:
            if part not in made:
                made[part] = _tables(_current(stored, part))
        made[name] = decide_one(task(name), progress)
        yield name, made[name]


def _parts_first(parts: Mapping[str, Study]) -> list[str]:
    """Return the names of mixes that combine others, each after those that it combines."""
    combined = {name: study.mixes[name].parts for name, study in parts.items() if study.mixes[name].is_composite}
    return [name for name in TopologicalSorter(combined).static_order() if name in combined]


def _current(stored: Mapping[str, Version], name: str) -> Version:
    if name not in stored:
        raise NotReadyError(f"mix {name}: expected its decisions on the present prices; there are none")
    return stored[name]


def _tables(stored: Version) -> dict[str, pa.Table]:
    return {name: stored.read(name) for name in stored.rows}


def draw_frontiers(study: Study, market: Version, before: Version | None) -> "Tables":
    """Return the efficient frontiers of a study's assets; rows of before are taken over where nothing changed."""
    from pipelines.steps.fit import evaluated
    from sd_core.construction.frontier import frontier_rows

    known: dict[str, list[dict[str, Any]]] = {}
    for row in [] if before is None else before.read(MIX_FRONTIER.name).to_pylist():
        known.setdefault(row["window_hash"], []).append(row)
    (returns,) = evaluated(study, market, "asset_returns")
    rows = list(frontier_rows(history_of(study, market, returns), known))
    return {MIX_FRONTIER.name: pa.Table.from_pylist(rows, MIX_FRONTIER.arrow_schema)}


def decisions_of(study: Study, stored: Version) -> Decisions:
    """Return the target weights of the first mix of a study, by the session that they are in force from."""
    return targets_in_force(next(iter(study.mixes)), study.mixes, _weights(study), _tables(stored))


def _asked(study: Study, signals: Signals | None, market: Market, made: Mapping[str, "Tables"]) -> Asked:
    name, mix = next(iter(study.mixes.items()))
    scores = {
        name: read_scores(Path(mix.scores.file), study.tickers)
        for name, mix in study.mixes.items()
        if mix.scores is not None
    }
    combined = {part: part_decisions(made[part], len(study.tickers)) for part in mix.parts}
    return Asked(name, study.mixes, scores, signals, market, combined)


def _evaluated(parts: Mapping[str, Study], market: Version, variance: Version | None) -> tuple[History, Market]:
    """Return the past of a study's assets, and what its mixes ask of the market at every session."""
    # The models of the warehouse take long to parse, and whether a mix is outdated is asked of this module.
    from pipelines.steps.fit import evaluated

    study = next(iter(parts.values()))
    asks = any(part.mixes[name].asks_of_market for name, part in parts.items())
    states = VARIANCE_STATE.arrow_schema.empty_table() if variance is None else variance.read(VARIANCE_STATE.name)
    models = ("asset_returns", *(("market_regime",) if asks else ()))
    returns, *regimes = evaluated(study, market, *models, **{VARIANCE_STATE.name: states})
    history = history_of(study, market, returns)
    return history, _market(history, regimes[0]) if asks else Market()


def _market(history: History, regime: pa.Table) -> Market:
    """Return regimes and the probability of high variance at every session, from rows of ``market_regime``."""
    regimes: list[str | None] = [None] * len(history.sessions)
    probability = np.full(len(history.sessions), np.nan)
    places = np.searchsorted(history.sessions, regime["session"].to_numpy().astype("datetime64[D]"))
    for place, name, likely in zip(
        places.tolist(), regime["regime"].to_pylist(), regime["high_variance_probability"].to_pylist(), strict=True
    ):
        regimes[place] = name
        probability[place] = np.nan if likely is None else likely
    return Market(regimes, probability)


def history_of(study: Study, market: Version, returns: pa.Table) -> History:
    """Return the past that mixes of a study decide from; the caller holds the lake's shared lock."""
    sessions = market.read("sessions")["session"].to_numpy().astype("datetime64[D]")
    rates = market.read("rates").sort_by("session")
    tickers = pa.array(study.tickers)
    close = pivot(market.read("prices"), "close", sessions, tickers, np.nan)
    return History(
        tickers=study.tickers,
        classes=tuple(asset.asset_class for asset in study.universe.values()),
        weights=_weights(study),
        sessions=sessions,
        returns=pivot(returns, "simple_return", sessions, tickers, np.nan),
        has_bar=~np.isnan(close),
        cash=rates["risk_free_return"].to_numpy(),
        next_session=session_after(study.sessions, sessions),
        periods_per_year=periods_per_year(sessions),
        fee_rate=study.costs.bps / 10_000,
    )


def _weights(study: Study) -> Floats:
    weights = np.array([asset.weight for asset in study.universe.values()])
    return np.asarray(weights / weights.sum())
