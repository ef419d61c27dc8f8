"""Judge the best of the scenarios that were tried: is it better than buy-and-hold, or lucky?

The formulas belong in ``sd_core.selection``; which rules were ever tried, in ``pipelines.lab.trials``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.lab import trials
from pipelines.lab.current import read_panel, up_to_date_scenarios
from pipelines.lab.fingerprints import rule_fingerprints
from pipelines.lab.sweeps import NAMING, Sweeps, held_sweeps
from pipelines.steps.holding import Holding
from pipelines.steps.progress import Progress
from pipelines.steps.resample import mean_block
from pipelines.warehouse.reduction import metrics_version
from sd_core.lake import Lake, Version
from sd_core.market.panel import Panel
from sd_core.metrics.returns import session_returns
from sd_core.schemas.selection import (
    DISTINGUISHED,
    NOT_DISTINGUISHED,
    RANK_BINS,
    SELECTION_MEMBER,
    SELECTION_SPLIT,
    SELECTION_TABLES,
    SELECTION_TEST,
    SELECTION_TRIAL,
)
from sd_core.selection.differences import FEWEST_SESSIONS, MEASURES, Differences, Sums, moments_of, unpacked
from sd_core.selection.judgement import Evidence, Judgement, Tried, gather, judge, samples_of
from sd_core.selection.superiority import SAMPLES
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

if TYPE_CHECKING:
    from pipelines.steps.derived import Tables

ALL, MIXES = "all", "mixes"
DAILY, NEEDED = "daily", ("value", "withdrawals", "deposits")
# As many scenarios that keep no days are simulated again for theirs; of more the sums of blocks must do.
SIMULATED_AGAIN = 1_000


@dataclass(frozen=True)
class Family:
    """Scenarios of which the best may have been chosen: a name, and the places of its members among all of them."""

    name: str
    members: tuple[int, ...]


def families_of(study: Study, scenarios: Sequence[Scenario]) -> list[Family]:
    """Return the families that some scenarios make: all of them, those that trade a mix, and those of each sweep."""
    found: dict[str, list[int]] = {ALL: list(range(len(scenarios)))}
    for place, one in enumerate(scenarios):
        if study.strategies[one.strategy].mix is not None:
            found.setdefault(MIXES, []).append(place)
        if (sweep := study.sweep_of(one.strategy)) is not None:
            found.setdefault(f"sweep {sweep}", []).append(place)
    return [Family(name, tuple(members)) for name, members in found.items() if members]


def judge_selection(study: Study, lake: Lake, market: Version, progress: Progress, fitted: dt.date | None) -> "Tables":
    """Return the tables on selection, of the scenarios that are up to date.

    Args:
        study: that knows what its mixes have decided.
        lake: of the study; the caller holds its shared lock.
        market: of the lake.
        progress: hears how many families were judged.
        fitted: when every mix that is traded had been fitted, None where one never was.
    """
    held = up_to_date_scenarios(study, lake, market, metrics_version)
    sums = StoredSums.of(
        held_sweeps(study, lake, market, metrics_version, (*NAMING, "against", "compared_from", "sums"))
    )
    versions = {one: held.get(one) for one in study.rivals if one in held or one in sums.places}
    panel = read_panel(study, market)
    holding = Holding.of(study, market, panel, fitted)
    if holding is None or not versions:
        return {table.name: table.arrow_schema.empty_table() for table in SELECTION_TABLES}
    return _Selection(study, lake, panel, holding, versions, sums).tables(progress)


class StoredSums:
    """The sums that sweeps have stored of what their scenarios have more than buy-and-hold."""

    def __init__(self, places: Mapping[Scenario, int], rows: pa.Table) -> None:
        self.places = places
        self._against = rows["against"].to_pylist()
        self._firsts = rows["compared_from"].to_pylist()
        self._sums = rows["sums"].combine_chunks()

    @classmethod
    def of(cls, sweeps: Sweeps) -> "StoredSums":
        """Return the sums of the scenarios that are current, whose rows hold the columns on comparisons."""
        scenarios = [sweeps.scenarios[place] for place in sweeps.places[sweeps.is_current]]
        return cls({one: row for row, one in enumerate(scenarios)}, sweeps.rows.filter(pa.array(sweeps.is_current)))

    def has(self, scenario: Scenario, against: str, first: int) -> bool:
        """Return whether there are sums beside this buy-and-hold, from this session on."""
        row = self.places[scenario]
        return self._against[row] == against and first in self._firsts[row]

    def read(self, scenario: Scenario, first: int) -> list[Sums] | None:
        """Return the sums by measure; None where a scenario could not be compared."""
        row = self.places[scenario]
        firsts = self._firsts[row]
        numbers = self._sums[row].values.to_numpy(zero_copy_only=False)
        return unpacked(np.split(numbers, len(firsts))[firsts.index(first)])


class _Selection:
    def __init__(
        self,
        study: Study,
        lake: Lake,
        panel: Panel,
        holding: Holding,
        versions: Mapping[Scenario, Version | None],
        sums: "StoredSums",
    ) -> None:
        self._study, self._lake, self._panel, self._holding, self._versions = study, lake, panel, holding, versions
        self._sums = sums
        self._found: dict[tuple[str, tuple[int, ...], bool], Judgement | None] = {}
        self._scenarios = list(versions)
        self._rules = list(rule_fingerprints(study, self._scenarios))
        self._block = mean_block(study, panel)
        self._year = panel.periods_per_year
        self._without_days = sum(version is None for version in versions.values())

    def tables(self, progress: Progress) -> "Tables":
        study = self._study
        # What is there already may have been simulated before there was a ledger.
        trials.note_rules(study, self._lake, self._scenarios)
        by_first: dict[int | None, list[Family]] = {}
        for family in families_of(study, self._scenarios):
            trades_mix = any(study.strategies[self._scenarios[place].strategy].mix for place in family.members)
            by_first.setdefault(self._holding.first(trades_mix), []).append(family)
        evidence = {first: self._evidence(first, families) for first, families in by_first.items() if first is not None}
        for first, families in by_first.items():
            if first is not None and ALL in (family.name for family in families):
                self._note(first, evidence[first])
        self._trials = trials.noted_rules(self._lake)
        self._measured = trials.noted_measures(self._lake)
        rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in SELECTION_TABLES}
        judged = 0
        total = sum(map(len, by_first.values())) * len(MEASURES)
        for first, families in by_first.items():
            for number, family in enumerate(families):
                for measure in MEASURES:
                    of = evidence[first][measure] if first is not None else None
                    for name, more in self._judged(family, number, measure, first, of):
                        rows[name].append(more)
                    judged += 1
                    progress("families of scenarios judged", judged, total)
        rows[SELECTION_TRIAL.name] = list(self._trial_rows(evidence, by_first))
        return {table.name: pa.Table.from_pylist(rows[table.name], table.arrow_schema) for table in SELECTION_TABLES}

    def _evidence(self, first: int, families: Sequence[Family]) -> dict[str, Evidence]:
        members = [frozenset(family.members) for family in families]
        counts = samples_of(len(self._panel.sessions) - first, self._block, self._study.bootstrap.seed)
        return gather(self._known(first, frozenset().union(*members)), members, counts, self._block)

    def _known(self, first: int, wanted: frozenset[int]) -> Iterator[Differences | Sequence[Sums] | None]:
        """Yield what every scenario that is wanted has more than buy-and-hold: from its days, or from noted sums."""
        again = simulate(
            self._panel,
            [
                resolve(self._study, self._scenarios[place])
                for place in sorted(wanted)
                if self._is_simulated(place, first)
            ],
            ledger=False,
        )
        for place, version in enumerate(self._versions.values()):
            if place not in wanted:
                yield None
            elif self._is_simulated(place, first):
                yield self._holding.beside(session_returns(next(again).daily, self._study.capital), first)
            elif version is not None:
                days = version.read(DAILY).select(NEEDED)
                columns = {name: days[name].to_numpy() for name in NEEDED}
                yield self._holding.beside(session_returns(columns, version.facts["capital"]), first)  # type: ignore[arg-type]
            else:
                yield self._sums.read(self._scenarios[place], first)

    def _is_simulated(self, place: int, first: int) -> bool:
        """Return whether a scenario without days is simulated again: where that takes little, or no sums serve."""
        scenario = self._scenarios[place]
        return self._versions[scenario] is None and (
            self._without_days <= SIMULATED_AGAIN or not self._sums.has(scenario, self._holding.against, first)
        )

    def _note(self, first: int, evidence: Mapping[str, Evidence]) -> None:
        """Note how rules did that are judged for the first time."""
        known = trials.noted_measures(self._lake)
        measures, sums_of = [], []
        for measure, of in evidence.items():
            for place, sums in of.sums.items():
                rule = self._rules[place]
                if (rule, measure) in known:
                    continue
                known[rule, measure] = {}
                found = moments_of(sums, of.sessions)
                measures.append(
                    {
                        "rule": rule,
                        "measure": measure,
                        "against": self._holding.against,
                        **self._window(first),
                        **{name: getattr(found, name) for name in ("mean", "deviation", "skewness", "kurtosis")},
                    }
                )
                sums_of.append(sums)
        trials.note_measures(self._lake, measures, sums_of)

    def _window(self, first: int) -> dict[str, Any]:
        days = self._panel.sessions[[first, -1]].tolist()
        return {"first_session": days[0], "last_session": days[1], "sessions": len(self._panel.sessions) - first}

    def _tried(self, family: Family, measure: str, first: int) -> Tried:
        """Return what was tried beside the members of a family: of all scenarios also those no longer in the study."""
        own = {self._rules[place] for place in family.members}
        others = [row for (rule, of), row in self._measured.items() if of == measure and rule not in own]
        comparable = {**self._window(first), "against": self._holding.against}
        sums = [
            Sums(np.array(row["totals"]), np.array(row["squares"]), row["skewness"], row["kurtosis"])
            for row in others
            if family.name == ALL and all(row[name] == value for name, value in comparable.items())
        ]
        ratios = [row["mean"] / row["deviation"] if row["deviation"] > 0.0 else 0.0 for row in others]
        return Tried(len(self._trials), ratios, sums)

    def _judged(
        self, family: Family, number: int, measure: str, first: int | None, evidence: Evidence | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the rows of a family by a measure, each with the name of its table."""
        names = {"family": family.name, "measure": measure}
        found, tried = None, Tried(len(self._trials))
        if first is not None and evidence is not None:
            tried = self._tried(family, measure, first)
            # A sweep is often all there is beside buy-and-hold: the same scenarios are judged once.
            key = (measure, family.members, bool(tried.other_sums))
            found = self._found[key] = self._found.get(key) or judge(evidence, number, family.members, tried)
        yield SELECTION_TEST.name, names | self._test_row(family, first, evidence, tried, found)
        for place in family.members:
            yield SELECTION_MEMBER.name, names | self._scenarios[place]._asdict() | self._member_row(place, found)
        if found is not None and found.overfitting is not None:
            for row in _split_rows(found.overfitting.ranks):
                yield SELECTION_SPLIT.name, names | row

    def _test_row(
        self, family: Family, first: int | None, evidence: Evidence | None, tried: Tried, found: Judgement | None
    ) -> dict[str, Any]:
        known = [] if evidence is None else [place for place in family.members if place in evidence.sums]
        with_days = [] if evidence is None else [place for place in family.members if place in evidence.columns]
        row: dict[str, Any] = {
            "sessions": 0,
            **({} if first is None else self._window(first)),
            "scenarios": len(family.members),
            "compared": len(known) + len(tried.other_sums),
            "with_days": len(with_days),
            "trials": tried.trials,
            "splits": 0,
            "verdict_missing": self._missing(first, found, with_days),
        }
        if found is None:
            return row
        root, best = self._year**0.5, found.moments[found.best]
        row |= {
            **self._scenarios[found.best]._asdict(),
            "mean_correlation": found.mean_correlation,
            "effective_trials": found.effective,
            "difference": best.mean * self._year,
            "ratio": best.ratio * root,
            "skewness": best.skewness,
            "kurtosis": best.kurtosis,
            "ratio_deviation": found.ratio_deviation * root,
            "expected_ratio": found.expected * root,
            "deflated": found.deflated,
            "sessions_needed": None if found.needed is None else int(np.ceil(found.needed)),
        }
        if found.is_distinguished is not None:
            row["verdict"] = DISTINGUISHED if found.is_distinguished else NOT_DISTINGUISHED
        if (overfit := found.overfitting) is not None:
            row |= {
                "pbo": overfit.probability,
                "splits": len(overfit.ranks),
                "loss_probability": overfit.loss_probability,
                "slope": overfit.slope,
            }
        if (superior := found.superiority) is not None:
            row |= {
                "spa_p_value": superior.consistent,
                "spa_p_value_lower": superior.lower,
                "spa_p_value_upper": superior.upper,
                "samples": SAMPLES,
                "block_length": self._block,
                "confidence_set": len(found.in_set),
            }
        return row

    def _missing(self, first: int | None, found: Judgement | None, with_days: Sequence[int]) -> str | None:
        """Return why there is no verdict; None where there is one."""
        if first is None:
            if self._holding.fitted is None:
                return "a mix that is traded was never fitted"
            return f"fewer than {FEWEST_SESSIONS} sessions to compare"
        if found is None:
            return "buy-and-hold, or every scenario, had nothing left or never varied"
        if found.is_distinguished is not None:
            return None
        return "no days are kept" if not with_days else "a single scenario, so that nothing was chosen"

    def _member_row(self, place: int, found: Judgement | None) -> dict[str, Any]:
        if found is None or place not in found.moments:
            return {}
        moments = found.moments[place]
        row = {"difference": moments.mean * self._year, "ratio": moments.ratio * self._year**0.5}
        if place not in found.p_values:
            return row
        return {**row, "in_set": place in found.in_set, "p_value": found.p_values[place]}

    def _trial_rows(
        self, evidence: Mapping[int, Mapping[str, Evidence]], by_first: Mapping[int | None, Sequence[Family]]
    ) -> Iterator[dict[str, Any]]:
        """Yield every rule that was ever tried, with its ratios of today where the study has it, else as noted."""
        of_all = next(
            (evidence[first] for first, families in by_first.items() if first is not None and families[0].name == ALL),
            {},
        )
        now = {
            (self._rules[place], measure): moments_of(sums, of.sessions).ratio
            for measure, of in of_all.items()
            for place, sums in of.sums.items()
        }
        then = {
            key: row["mean"] / row["deviation"] if row["deviation"] > 0.0 else 0.0
            for key, row in self._measured.items()
        }
        ratios = then | now
        in_study = frozenset(self._rules)
        for row in self._trials:
            found = {
                f"{measure}_ratio": ratios[row["rule"], measure] * self._year**0.5
                for measure in MEASURES
                if (row["rule"], measure) in ratios
            }
            yield {**row, "is_in_study": row["rule"] in in_study, **found}


def _split_rows(ranks: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield a row of ``selection_split`` for each bin; a rank on the edge of two bins belongs to the lower one."""
    bins = np.ceil(np.round(ranks * RANK_BINS, 9)).astype(int)
    counts = np.bincount(bins, minlength=RANK_BINS + 1)
    for number in range(1, RANK_BINS + 1):
        yield {
            "bin": number,
            "rank_above": (number - 1) / RANK_BINS,
            "rank_up_to": number / RANK_BINS,
            "splits": int(counts[number]),
        }
