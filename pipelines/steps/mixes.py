"""Decide on target weights: what each mix of a study makes of the past prices in the lake.

Returns come from SQL, evaluated in memory; how weights follow from them belongs in ``sd_core.construction``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.steps.progress import Progress
from sd_core.construction.decisions import Asked, Decision, decide, library_versions, settings_of
from sd_core.construction.history import History
from sd_core.construction.scores import read_scores
from sd_core.construction.tables import known_decisions, targets_in_force, to_tables
from sd_core.lake import Version
from sd_core.market.arrays import pivot
from sd_core.market.panel import periods_per_year
from sd_core.market.sessions import session_after
from sd_core.market.sources.states import file_state
from sd_core.study.model import Decisions, Study

if TYPE_CHECKING:
    from pipelines.steps.derived import Tables


def mix_settings(study: Study) -> dict[str, Any]:
    """Return what the first mix of a study depends on besides prices; the others are those that may answer for it."""
    assets = {ticker: [asset.asset_class, asset.weight] for ticker, asset in study.universe.items()}
    scores = {name: file_state(Path(mix.scores.file)) for name, mix in study.mixes.items() if mix.scores is not None}
    return {
        "mixes": [{"name": name, **settings_of(mix)} for name, mix in study.mixes.items()],
        "assets": list(assets.items()),
        "scores": scores,
        "costs": study.costs.bps if any(mix.cost_aware for mix in study.mixes.values()) else None,
        "libraries": library_versions(),
    }


def decide_mix(study: Study, market: Version, progress: Progress, before: Version | None) -> "Tables":
    """Return what the first mix of a study decides; decisions of before are taken over where nothing has changed."""
    # The warehouse's models take long to parse, and whether a mix is outdated is asked of this module.
    from pipelines.steps.fit import evaluated

    (returns,) = evaluated(study, market, "asset_returns")
    history = history_of(study, market, returns)
    asked = _asked(study)
    known = {} if before is None else known_decisions(history, {name: before.read(name) for name in before.rows})
    wanted = len(history.decision_places(asked.mix.every))

    def heard() -> Iterator[Decision]:
        for done, decision in enumerate(decide(history, asked, known), start=1):
            progress(f"decisions of {asked.name}", done, wanted)
            yield decision

    return to_tables(history, asked.name, list(heard()))


def decisions_of(study: Study, stored: Version) -> Decisions:
    """Return the target weights of the first mix of a study, by the session that they are in force from."""
    mix = next(iter(study.mixes.values()))
    return targets_in_force(mix, _weights(study), {name: stored.read(name) for name in stored.rows})


def _asked(study: Study) -> Asked:
    scores = {
        name: read_scores(Path(mix.scores.file), study.tickers)
        for name, mix in study.mixes.items()
        if mix.scores is not None
    }
    return Asked(next(iter(study.mixes)), study.mixes, scores)


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


def _weights(study: Study) -> np.ndarray:
    weights = np.array([asset.weight for asset in study.universe.values()])
    return np.asarray(weights / weights.sum())
