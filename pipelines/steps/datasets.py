"""Every derived dataset: what it depends on, and which step computes it.

The steps are imported when they compute, since that takes long, and asking what is outdated must not.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.lab.current import SIMULATIONS, current_market, lake_key, partitions_of
from pipelines.lab.fingerprints import UNDECIDED, fingerprint, scenario_fingerprints
from pipelines.lab.sweeps import ANSWERING, COMPARED, NAMING, held_sweeps, swept
from pipelines.steps.books import ending_of, ledger_of
from pipelines.steps.derived import Derived
from pipelines.steps.progress import Progress
from pipelines.steps.signal_tables import BOOSTED_TREES, SIGNALS, signal_tables
from sd_core import versions
from sd_core.lake import Lake, Version
from sd_core.market.sources.states import HOURLY_BARS, file_state
from sd_core.schemas.buckets import BUCKET_TABLES, LEDGER_TABLES, STUDY_BUCKET
from sd_core.schemas.factors import FACTOR_TABLES
from sd_core.schemas.mixes import MIX_TABLES
from sd_core.schemas.selection import SELECTION_TABLES
from sd_core.schemas.sweeps import SWEEPS
from sd_core.study.mixes import with_parts
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

if TYPE_CHECKING:
    from pipelines.steps.derived import Tables


def _market_settings(study: Study) -> dict[str, Any]:
    """Return what fits depend on: the assets with their classes and weights, and the benchmark."""
    assets = {ticker: [asset.asset_class, asset.weight] for ticker, asset in sorted(study.universe.items())}
    return {"assets": assets, "benchmark": study.benchmark}


def _variance_state(study: Study, _: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.fit import fit_variance_state

    return fit_variance_state(study, market, progress)


def _correlations(study: Study, _: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.fit import fit_correlations

    return fit_correlations(study, market, progress)


def _fingerprints(study: Study, scenarios: Sequence[Scenario]) -> dict[str, str]:
    return dict(zip(map(lake_key, scenarios), scenario_fingerprints(study, scenarios), strict=True))


def _bootstrap_settings(study: Study) -> dict[str, Any]:
    settings: dict[str, Any] = {
        # What is concluded from the samples does not affect them.
        "bootstrap": study.bootstrap.model_dump(mode="json", exclude={"smallest_difference"}),
        "scenarios": _fingerprints(study, study.resampled),
    }
    return settings if study.taxes is None else settings | {"taxes": study.taxes.model_dump(mode="json")}


def _histories(study: Study, _: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.resample import draw_histories
    from pipelines.steps.withdrawals import simulate_withdrawals

    # The same samples, drawn twice: to draw them takes little, and what is asked of them differs.
    return {**draw_histories(study, market, progress), **simulate_withdrawals(study, market, progress)}


def smoothed_scenario(study: Study) -> Scenario | None:
    """Return the scenario whose income is studied: the first strategy that buys and sells, at the middle reserve."""
    trading = [name for name, parts in study.strategies.items() if parts.rule and parts.rule.variant == "full"]
    levels = study.reserve_levels
    return Scenario(strategy=trading[0], reserve=levels[len(levels) // 2]) if trading else None


def _subset_settings(study: Study) -> dict[str, Any]:
    scenario = smoothed_scenario(study)
    # Portfolios are chosen with the seed; the number of bootstrap samples does not affect them.
    return {"seed": study.bootstrap.seed, "scenarios": _fingerprints(study, [scenario] if scenario else [])}


def _subsets(study: Study, _: Lake, market: Version, __: Progress) -> "Tables":
    from pipelines.steps.resample import simulate_subsets

    return simulate_subsets(study, smoothed_scenario(study), market)


def _start_settings(study: Study) -> dict[str, Any]:
    # A study that asks for no other starts has an empty table, which no change of it makes outdated.
    if study.start_dates is None:
        return {}
    return {"start_dates": study.start_dates, "scenarios": _fingerprints(study, study.scenarios)}


def _starts(study: Study, _: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.starts import simulate_starts

    return simulate_starts(study, market, progress)


def _plans(study: Study, _: Lake) -> dict[str, Study]:
    """Return, by the name of each plan, the study with that plan alone."""
    return {name: study.model_copy(update={"buckets": {name: plan}}) for name, plan in study.buckets.items()}


def _plan_settings(study: Study) -> dict[str, Any]:
    from sd_core.buckets.history.plans import core_rules, plan_of, tickers_of

    (name,) = study.buckets
    if not study.is_decided(study.buckets[name].core.strategy):
        return {"plan": UNDECIDED}
    deposits = study.deposits_of(name)
    return {
        **_market_settings(study),
        "plan": asdict(plan_of(study, name)),
        "core": vars(core_rules(study, name)),
        "deposits": deposits and deposits.model_dump(mode="json"),
        "tickers": [study.tickers, tickers_of(study, name)],
    }


def _plan(study: Study, _: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.buckets import simulate_plan

    return simulate_plan(study, market, progress)


def _ledger_settings(study: Study) -> dict[str, Any]:
    # Signals and the regime of the market are noted of positions; a ledger in another currency is left out.
    return {**_market_settings(study), "currency": study.currency}


def _books(study: Study, lake: Lake, market: Version, _: Progress) -> "Tables":
    from pipelines.steps.landing import read_books

    return read_books(study, lake, market)


def _mixes(study: Study, _: Lake) -> dict[str, Study]:
    """Return, by the name of each mix, the study with that mix, those that may answer for it, and those of it."""
    return {
        name: study.model_copy(update={"mixes": {one: study.mixes[one] for one in with_parts(study.mixes, name)}})
        for name in study.mixes
    }


def _mix_settings(study: Study) -> dict[str, Any]:
    from pipelines.steps.mixes import mix_settings

    return mix_settings(study)


def _mix(study: Study, lake: Lake, market: Version, progress: Progress) -> "Tables":
    ((_, tables),) = _decisions({next(iter(study.mixes)): study}, lake, market, progress)
    return tables


def _decisions(
    parts: Mapping[str, Study], lake: Lake, market: Version, progress: Progress
) -> Iterator[tuple[str, "Tables"]]:
    from pipelines.steps.mixes import decide_mixes, signals_of

    before, stored = {}, {}
    for name, part in parts.items():
        # Where the answer is there already, all of it is asked for again.
        if (version := lake.current(MIXES.name, name)) is not None and not _answers(version, part, lake, market):
            before[name] = version
        for other in part.mixes[name].parts:
            its = _mixes(part, lake)[other]
            if (version := lake.current(MIXES.name, other)) is not None and _answers(version, its, lake, market):
                stored[other] = version
    whole = next(iter(parts.values()))
    whole = whole.model_copy(update={"mixes": {k: mix for part in parts.values() for k, mix in part.mixes.items()}})
    variance = None
    if any(mix.defence is not None for mix in whole.mixes.values()):
        # Made here where it is outdated, since it comes after the mixes otherwise.
        current = VARIANCE_STATE.current(whole, lake, market) or VARIANCE_STATE.make(whole, lake, progress)
        variance = current[""]
    names = signals_of(whole)
    signals = signal_tables(whole, lake, market, names) if names else {}
    yield from decide_mixes(parts, market, variance, signals, stored, before, progress)


def _answers(stored: Version, part: Study, lake: Lake, market: Version) -> bool:
    return stored.facts == MIXES.facts(part, lake, market)


MIXES = Derived(
    name="mixes",
    description="Target weights that every mix decided on at the last session of each period, and how.",
    version=versions.MIXES,
    inputs=("sessions", "prices", "rates", *SIGNALS.tables, *BOOSTED_TREES.tables),
    tables=tuple(table.name for table in MIX_TABLES),
    settings=_mix_settings,
    compute=_mix,
    parts=_mixes,
    compute_parts=_decisions,
)


def decided(study: Study, lake: Lake, market: Version) -> Study:
    """Return the study that knows what its mixes have decided on the prices of a market, as far as the lake holds it.

    The caller holds the lake's shared lock.
    """
    if not study.mixes:
        return study
    from pipelines.steps.mixes import decisions_of

    parts = _mixes(study, lake)
    return study.with_decisions(
        {name: decisions_of(parts[name], version) for name, version in MIXES.current(study, lake, market).items()}
    )


def _stress_settings(study: Study) -> dict[str, Any]:
    from sd_core.construction.hashes import library_versions

    windows = study.stress.model_dump(mode="json") if study.stress else None
    return {
        **_market_settings(study),
        "windows": windows,
        "seed": study.bootstrap.seed,
        "libraries": library_versions(),
    }


def _decided_last(study: Study, lake: Lake) -> dict[str, str]:
    """Return a hash of what the first mix of a study decided last."""
    from pipelines.steps.stress import last_targets

    targets = last_targets(MIXES.current(study, lake, current_market(study, lake)), next(iter(study.mixes)))
    return {"decided": fingerprint({"targets": targets and [str(targets.decided), targets.weights.tolist()]})}


def _stress(study: Study, lake: Lake, market: Version, _: Progress) -> "Tables":
    from pipelines.steps.stress import last_targets, stress_mix

    name = next(iter(study.mixes))
    return stress_mix(study, market, name, last_targets(MIXES.current(study, lake, market), name))


STRESS_MIX = Derived(
    name="stress_mix",
    description="What the last target weights of every mix would do in past falls and under other stress.",
    version=versions.STRESS,
    inputs=("sessions", "prices", "rates", "mix_weight"),
    tables=("stress_mix",),
    settings=_stress_settings,
    compute=_stress,
    parts=_mixes,
    outside=_decided_last,
)


def _explained(study: Study, _: Lake) -> dict[str, Study]:
    """Return the study where it has factors."""
    return {"": study} if study.factors else {}


def _factor_settings(study: Study) -> dict[str, Any]:
    assert study.factors is not None  # else there is no part to ask about
    asked = {**study.factors.model_dump(mode="json"), "state": file_state(Path(study.factors.file))}
    return {"factors": asked, "scenarios": _fingerprints(study, study.scenarios)}


def _days_stored(study: Study, lake: Lake) -> dict[str, Any]:
    """Return what is another value as soon as the lake holds other days of scenarios; the same, stored again, are not.

    Two processes may simulate the same at once: what each stores leaves what the other made of it current.
    """
    stored = {key: lake.current(SIMULATIONS, key) for key in map(lake_key, partitions_of(study))}
    return {
        "scenarios": fingerprint(
            {
                key: [version.hashes.get("daily"), *(version.facts.get(name) for name in ANSWERING)]
                for key, version in stored.items()
                if version is not None
            }
        )
    }


def _scenarios_stored(study: Study, lake: Lake) -> dict[str, Any]:
    """Return the same of all scenarios, those of sweeps among them."""
    if not swept(study):
        return _days_stored(study, lake)
    sweeps = held_sweeps(study, lake, current_market(study, lake), (*NAMING, *COMPARED))
    return {**_days_stored(study, lake), SWEEPS: sweeps.digest()}


def _factors(study: Study, lake: Lake, market: Version, _: Progress) -> "Tables":
    from pipelines.steps.factors import explain_scenarios

    return explain_scenarios(study, lake, market)


FACTORS = Derived(
    name="factor_fit",
    description="What the study's factors explain of every scenario's excess return.",
    version=f"{versions.ENGINE}.{versions.FACTORS}",
    inputs=("sessions", "rates", "mix_weight", "simulation_daily"),
    tables=tuple(table.name for table in FACTOR_TABLES),
    settings=_factor_settings,
    compute=_factors,
    parts=_explained,
    outside=_days_stored,
    informed=decided,
)


def _frontier_settings(study: Study) -> dict[str, Any]:
    from sd_core.construction.hashes import library_versions

    return {"assets": study.tickers, "libraries": library_versions()}


def _frontiers(study: Study, _: Lake) -> dict[str, Study]:
    return {"": study} if study.mixes and len(study.tickers) > 1 else {}


def _frontier(study: Study, lake: Lake, market: Version, _: Progress) -> "Tables":
    from pipelines.steps.mixes import draw_frontiers

    return draw_frontiers(study, market, lake.current(FRONTIER.name, ""))


FRONTIER = Derived(
    name="frontier",
    description="The efficient frontier at the end of every year, and its outcome, in studies with mixes.",
    version=versions.FRONTIER,
    inputs=("sessions", "prices", "rates"),
    tables=("mix_frontier",),
    settings=_frontier_settings,
    compute=_frontier,
    parts=_frontiers,
)


def _with_hours(study: Study, _: Lake) -> dict[str, Study]:
    """Return the study where it keeps hourly bars."""
    return {"": study} if study.hourly else {}


def _hours_stored(study: Study, lake: Lake) -> dict[str, Any]:
    stored = {ticker: lake.current(HOURLY_BARS, ticker) for ticker in study.hourly_tickers}
    return {"hours": fingerprint({ticker: version and version.hashes for ticker, version in stored.items()})}


def _hourly_correlations(study: Study, lake: Lake, _: Version, __: Progress) -> "Tables":
    from pipelines.steps.fit import correlate_hours

    return correlate_hours(study, lake)


HOURLY_CORRELATIONS = Derived(
    name="correlation_frequency",
    description="Correlations of 1 hour, 4 hours, a day and a week, from the hourly bars that the lake keeps.",
    version=versions.HOURS,
    inputs=("hourly_bars",),
    tables=("correlation_frequency",),
    settings=lambda study: {ticker: asset.asset_class for ticker, asset in sorted(study.universe.items())},
    compute=_hourly_correlations,
    parts=_with_hours,
    outside=_hours_stored,
)


def _rivals(study: Study, _: Lake) -> dict[str, Study]:
    """Return the study where it has scenarios that could be chosen instead of buy-and-hold."""
    return {"": study} if study.rivals else {}


def _selection_settings(study: Study) -> dict[str, Any]:
    """Return what decides which scenarios are up to date and how they are compared, with what mixes have decided."""
    parts = {"strategies", "universe", "reserves", "costs", "capital", "deposits", "withdrawals", "taxes", "path_band"}
    decisions = {
        name: [(date.isoformat(), weights) for date, weights in (study.decisions_of(name) or {}).items()]
        for name, strategy in study.strategies.items()
        if strategy.mix is not None
    }
    return {
        **study.model_dump(mode="json", include=parts),
        "mixes": {name: mix.model_dump(mode="json") for name, mix in study.mixes.items()},
        "decisions": decisions,
        "sweeps": {name: study.sweep_of(name) for name in study.strategies},
        "bootstrap": study.bootstrap.model_dump(mode="json", include={"seed", "block"}),
    }


def _selection(study: Study, lake: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.selection import judge_selection

    return judge_selection(study, lake, market, progress, fitted_since(study, lake, market))


def fitted_since(study: Study, lake: Lake, market: Version) -> dt.date | None:
    """Return the session from whose close on every mix that a strategy trades has weights of its own.

    It is the first date of all where none is traded, None where one was never fitted. The caller holds the lake's
    shared lock.
    """
    traded = {strategy.mix for strategy in study.strategies.values() if strategy.mix is not None}
    if not traded:
        return dt.date.min
    # With the libraries of optimisers.
    from sd_core.construction.decisions import UNTIL_FITTED

    stored = MIXES.current(study, lake, market)
    firsts = []
    for name in traded & stored.keys():
        rows = stored[name].read("mix_fit").select(["effective_session", "answered_by"]).to_pylist()
        days = [row["effective_session"] for row in rows if row["answered_by"] != UNTIL_FITTED]
        firsts += [min(day for day in days if day is not None)] if any(days) else []
    return max(firsts) if len(firsts) == len(traded) else None


VARIANCE_STATE = Derived(
    name="variance_state",
    description=(
        "How likely the benchmark is in its state of higher variance, by a Markov-switching model refitted each month."
    ),
    version=versions.VARIANCE_STATE,
    inputs=("sessions", "prices"),
    tables=("variance_state",),
    settings=_market_settings,
    compute=_variance_state,
)
CORRELATIONS = Derived(
    name="correlations",
    description=(
        "Correlations by pair and as a whole, and how likely they are in their higher state, by a Markov-switching "
        "model refitted each month."
    ),
    version=versions.CORRELATIONS,
    inputs=("sessions", "prices"),
    tables=("correlation_pair", "correlation_summary", "correlation_state"),
    settings=_market_settings,
    compute=_correlations,
)
INCOME_SUBSET = Derived(
    name="income_subset",
    description="Correlation, volatility and variability of income in portfolios of some of the assets.",
    version=f"{versions.ENGINE}.{versions.SUBSETS}",
    inputs=("sessions", "prices", "rates", "mix_weight"),
    tables=("income_subset",),
    settings=_subset_settings,
    compute=_subsets,
    informed=decided,
)
START_DATES = Derived(
    name="start_date_outcome",
    description="Outcome of each scenario from the first session of each year, or month, in studies with start_dates.",
    version=f"{versions.ENGINE}.{versions.STARTS}",
    inputs=("sessions", "prices", "rates", "mix_weight"),
    tables=("start_date_outcome",),
    settings=_start_settings,
    compute=_starts,
    informed=decided,
)
BUCKETS = Derived(
    name="buckets",
    description="Every plan of a core with satellites, simulated: cash, days, positions, events and evaluations.",
    version=f"{versions.ENGINE}.{versions.BUCKETS}",
    inputs=("sessions", "prices", "satellite_prices", "rates", "mix_weight"),
    tables=tuple(table.name for table in BUCKET_TABLES),
    settings=_plan_settings,
    compute=_plan,
    parts=_plans,
    informed=decided,
)
LEDGER = Derived(
    name="ledger",
    description="The books of the account's ledger, live and on paper: what moved, marked days, positions, balances.",
    version=versions.LEDGER,
    inputs=("sessions", "prices", "satellite_prices", "rates"),
    tables=tuple(table.name for table in (STUDY_BUCKET, *BUCKET_TABLES, *LEDGER_TABLES)),
    settings=_ledger_settings,
    compute=_books,
    parts=ledger_of,
    outside=ending_of,
)
SELECTION = Derived(
    name="selection",
    description="Whether the best of the scenarios that were tried is better than buy-and-hold, or lucky.",
    version=f"{versions.ENGINE}.{versions.SELECTION}",
    inputs=("sessions", "prices", "rates", "mix_weight", "simulation_daily"),
    tables=tuple(table.name for table in SELECTION_TABLES),
    settings=_selection_settings,
    compute=_selection,
    parts=_rivals,
    outside=_scenarios_stored,
    informed=decided,
)
# The bootstrap samples take some minutes, so they are no part of the refresh.
RESERVE_BOOTSTRAP = Derived(
    name="reserve_bootstrap",
    description="Outcome of each scenario in each bootstrap sample, the same samples for all.",
    version=f"{versions.ENGINE}.{versions.SAMPLES}",
    inputs=("sessions", "prices", "rates"),
    tables=("reserve_bootstrap", "withdrawal_outcome", "withdrawal_limit"),
    settings=_bootstrap_settings,
    compute=_histories,
    refreshed=False,
)
FITS = (VARIANCE_STATE, CORRELATIONS)
DERIVED = (
    *FITS,
    HOURLY_CORRELATIONS,
    SIGNALS,
    BOOSTED_TREES,
    MIXES,
    FRONTIER,
    STRESS_MIX,
    INCOME_SUBSET,
    START_DATES,
    BUCKETS,
    LEDGER,
    FACTORS,
    SELECTION,
    RESERVE_BOOTSTRAP,
)
REFRESHED = tuple(one for one in DERIVED if one.refreshed)
# Those of the market and of what is decided before anything is simulated: a step makes them side by side.
_IN_TURN = (SIGNALS, BOOSTED_TREES, MIXES, BUCKETS, LEDGER)
SIDE_BY_SIDE = tuple(one for one in REFRESHED if one not in _IN_TURN and not one.reads_scenarios)
