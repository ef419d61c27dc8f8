"""What the lake holds for a study, and whether it answers what the study asks now.

How any of it is computed belongs in ``steps``; the hashes that decide are made in ``fingerprints``. Importing this is
quick: what reads prices is imported where it is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.lab.fingerprints import market_fingerprint, scenario_fingerprints
from sd_core import versions
from sd_core.errors import NotReadyError
from sd_core.lake import Lake, Version
from sd_core.market.freshness import Overdue, overdue
from sd_core.market.sources.states import HOURLY_BARS, RAW_PRICES, file_state, hourly_state, source_state
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

if TYPE_CHECKING:
    from sd_core.market.panel import Panel

FETCHES = "fetches"
MARKET = "market"
# What strategies on paper decided, by scenario and session; written once, since it cannot be decided again.
PAPER = "paper"
SIMULATIONS = "simulations"
# What is noted of a market beside the version of its prices: that of the satellites' prices.
VERSION_OF_SATELLITES = "satellite_prices_version"
# What a scenario came to, among the facts that are noted of it.
OUTCOME = "outcome"
# A table of a scenario that only a study with taxes has.
TAX_LOTS = "tax_lots"

WHOLE_RUN_FIRST = "first run the whole study, with `sdlab run` or the job refresh in Dagster"
OTHER_SETTINGS = (
    "the prices in the lake were prepared for other settings of this study (source, dates, sessions, tickers, "
    "currency, risk-free rate or price index)"
)


def outdated_tickers(study: Study, lake: Lake, now: dt.datetime | None = None) -> tuple[str, ...]:
    """Return the tickers of which the source may have other prices than the lake, in the study's order."""
    moment = now or dt.datetime.now(dt.UTC)
    return tuple(
        ticker
        for ticker in study.fetched_tickers
        if (stored := lake.current(RAW_PRICES, ticker)) is None
        or stored.facts.get("state") != source_state(study, ticker, moment)
        or not _has_hours(study, lake, ticker, moment)
    )


def overdue_tickers(study: Study, lake: Lake, now: dt.datetime | None = None) -> list[Overdue]:
    """Return the tickers whose last sessions are missing, in the study's order; one that was never fetched is none."""
    moment = now or dt.datetime.now(dt.UTC)
    stored = {ticker: lake.current(RAW_PRICES, ticker) for ticker in study.fetched_tickers}
    found = (
        overdue(study, ticker, dt.date.fromisoformat(version.facts["last"]), version.facts.get("calendar"), moment)
        for ticker, version in stored.items()
        if version is not None
    )
    return [one for one in found if one is not None]


def _has_hours(study: Study, lake: Lake, ticker: str, now: dt.datetime) -> bool:
    """Return whether the source has no newer hourly bars of a ticker than the lake, or the study asks for none."""
    if ticker not in study.hourly_tickers:
        return True
    stored = lake.current(HOURLY_BARS, ticker)
    return stored is not None and stored.facts["state"] == hourly_state(study, ticker, now)


def market_inputs(study: Study, lake: Lake) -> dict[str, Any]:
    """Return what a market is prepared from: versions of fetches, the file of the price index, and the code."""
    fetched = {ticker: lake.current(RAW_PRICES, ticker) for ticker in study.fetched_tickers}
    failures = lake.current(FETCHES)
    return {
        "raw": {ticker: stored.version if stored else None for ticker, stored in fetched.items()},
        "failures": failures.version if failures else None,
        "price_index": file_state(Path(study.price_index)) if study.price_index else None,
        "code": versions.MARKET,
    }


def is_prepared(study: Study, lake: Lake) -> bool:
    """Return whether the market in the lake is what preparing it now would give."""
    market = lake.current(MARKET)
    return market is not None and answers(market, study) and market.facts.get("inputs") == market_inputs(study, lake)


def answers(market: Version, study: Study) -> bool:
    """Return whether a market of the lake was prepared for the present settings of a study."""
    return bool(market.facts["market_hash"] == market_fingerprint(study))


def current_market(study: Study, lake: Lake) -> Version:
    """Return the market in the lake.

    Raises:
        NotReadyError: there is none, or one for other settings of the study.
    """
    market = lake.current(MARKET)
    if market is None:
        raise NotReadyError(f"no prices in the lake yet: {WHOLE_RUN_FIRST}")
    if not answers(market, study):
        raise NotReadyError(f"{OTHER_SETTINGS}: {WHOLE_RUN_FIRST}")
    return market


def read_panel(study: Study, market: Version) -> Panel:
    """Return the panel of a stored market; the caller holds the lake's shared lock."""
    from sd_core.market.stored import StoredPanel

    return StoredPanel(study, market).panel


def partitions_of(study: Study) -> list[Scenario]:
    """Return the scenarios that are partitions of the lake: those that keep more than their metrics."""
    return [one for one in study.scenarios if study.strategies[one.strategy].keep != "metrics"]


def lake_key(scenario: Scenario) -> str:
    """Return a scenario's partition of the lake's dataset of simulations."""
    return f"{scenario.strategy}/{scenario.reserve_key}"


def stored_scenarios(study: Study, lake: Lake, metrics_version: Callable[[], str]) -> dict[Scenario, Version]:
    """Return the study's scenarios that are partitions and that the lake holds; others in the lake belong to no table.

    One whose metrics another version of the SQL computed, and whose rows are gone, counts as not held.

    Args:
        study: the study.
        lake: its lake.
        metrics_version: returns the version of today's SQL; called only where a scenario keeps metrics alone.
    """
    found = {scenario: lake.current(SIMULATIONS, lake_key(scenario)) for scenario in partitions_of(study)}
    return {
        scenario: version
        for scenario, version in found.items()
        if version is not None
        and ("metrics_version" not in version.facts or version.facts["metrics_version"] == metrics_version())
    }


def current_scenarios(study: Study, stored: Mapping[Scenario, Version], market: Version) -> frozenset[Scenario]:
    """Return the scenarios that answer what the study asks now, on the prices that the lake holds now."""
    hashes = scenario_fingerprints(study, stored)
    return frozenset(
        scenario
        for (scenario, version), study_hash in zip(stored.items(), hashes, strict=True)
        if version.facts["prices_version"] == market.facts["prices_version"]
        and version.facts["study_hash"] == study_hash
        and version.facts["engine_version"] == versions.ENGINE
    )


def up_to_date_scenarios(
    study: Study, lake: Lake, market: Version, metrics_version: Callable[[], str]
) -> dict[Scenario, Version]:
    """Return the scenarios of the study that the lake holds as the study asks for them now, in its order.

    Args:
        study: that knows what its mixes have decided.
        lake: of the study.
        market: of the lake.
        metrics_version: as :func:`stored_scenarios` takes it.
    """
    stored = stored_scenarios(study, lake, metrics_version)
    current = current_scenarios(study, stored, market)
    return {scenario: version for scenario, version in stored.items() if scenario in current}
