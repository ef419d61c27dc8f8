"""Judge the best of the scenarios that were tried: is it better than buy-and-hold, or lucky?

The formulas belong in ``sd_core.selection``; which rules were ever tried, in ``pipelines.lab.trials``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lab import trials
from pipelines.lab.current import read_panel, up_to_date_scenarios
from pipelines.lab.fingerprints import rule_fingerprints
from pipelines.lab.sweeps import NAMING, Sweeps, held_sweeps
from pipelines.steps.holding import Holding
from pipelines.steps.progress import Progress
from pipelines.steps.resample import mean_block
from pipelines.warehouse.reduction import metrics_version
from sd_core.lake import Lake, Version
from sd_core.market.arrays import Floats
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
    TRIAL_MEASURE,
)
from sd_core.schemas.table import LakeTable
from sd_core.selection.differences import FEWEST_SESSIONS, MEASURES, NUMBERS, Differences, moments_of
from sd_core.selection.judgement import SIZE, Evidence, Judgement, Tried, gather, judge, samples_of
from sd_core.selection.superiority import SAMPLES
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve_all
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
    of = {name: tuple(_families_of(study, name)) for name in study.strategies}
    found: dict[str, list[int]] = {ALL: list(range(len(scenarios)))}
    for place, one in enumerate(scenarios):
        for family in of[one.strategy]:
            found.setdefault(family, []).append(place)
    return [Family(name, tuple(members)) for name, members in found.items() if members]


def _families_of(study: Study, strategy: str) -> Iterator[str]:
    """Yield the families of a strategy's scenarios beside that of all."""
    if study.strategies[strategy].mix is not None:
        yield MIXES
    if (sweep := study.sweep_of(strategy)) is not None:
        yield f"sweep {sweep}"


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
    sums = StoredSums.of(held_sweeps(study, lake, market, (*NAMING, "against", "compared_from", "sums")))
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
        self._rows = rows

    @classmethod
    def of(cls, sweeps: Sweeps) -> "StoredSums":
        """Return the sums of the scenarios that are current, whose rows hold the columns on comparisons."""
        scenarios = [sweeps.scenarios[place] for place in sweeps.places[sweeps.is_current]]
        return cls({one: row for row, one in enumerate(scenarios)}, sweeps.rows.filter(pa.array(sweeps.is_current)))

    def read(self, against: str, first: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the sums by row and measure beside this buy-and-hold, from a session on, and which rows have them.

        Those of a scenario that could not be compared are NaN.
        """
        firsts, sums = (self._rows[name].combine_chunks() for name in ("compared_from", "sums"))
        counts = np.diff(firsts.offsets.to_numpy())
        row_of = np.repeat(np.arange(len(firsts)), counts)
        place_of = np.arange(len(row_of)) - np.repeat(firsts.offsets.to_numpy()[:-1], counts)
        is_same = pc.fill_null(pc.equal(self._rows["against"], against), fill_value=False).to_numpy()
        chosen = (firsts.values.to_numpy() == first) & is_same[row_of]
        width = len(MEASURES) * NUMBERS
        begins = sums.offsets.to_numpy()[:-1][row_of[chosen]] + place_of[chosen] * width
        found = np.full((len(firsts), width), np.nan)
        found[row_of[chosen]] = sums.values.to_numpy()[begins[:, None] + np.arange(width)]
        has = np.zeros(len(firsts), dtype=bool)
        has[row_of[chosen]] = True
        return found.reshape(-1, len(MEASURES), NUMBERS), has


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
        self._rules = pa.array([*rule_fingerprints(study, self._scenarios)], pa.string())
        self._strategies = pa.array([one.strategy for one in self._scenarios], pa.string())
        self._reserves = pa.array([one.reserve for one in self._scenarios], pa.float64())
        self._stored = np.array([sums.places.get(one, -1) for one in self._scenarios])
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
        rows: dict[str, list[dict[str, Any]]] = {SELECTION_TEST.name: [], SELECTION_SPLIT.name: []}
        members = [SELECTION_MEMBER.arrow_schema.empty_table()]
        judged = 0
        total = sum(map(len, by_first.values())) * len(MEASURES)
        for first, families in by_first.items():
            for number, family in enumerate(families):
                for measure in MEASURES:
                    of = evidence[first][measure] if first is not None else None
                    tried, found = self._judged(family, number, measure, first, of)
                    names = {"family": family.name, "measure": measure}
                    rows[SELECTION_TEST.name].append(names | self._test_row(family, first, of, tried, found))
                    members.append(self._member_rows(family, measure, found))
                    if found is not None and found.overfitting is not None:
                        rows[SELECTION_SPLIT.name] += [names | row for row in _split_rows(found.overfitting.ranks)]
                    judged += 1
                    progress("families of scenarios judged", judged, total)
        return {
            **{
                table.name: pa.Table.from_pylist(rows[table.name], table.arrow_schema)
                for table in (SELECTION_TEST, SELECTION_SPLIT)
            },
            SELECTION_MEMBER.name: pa.concat_tables(members),
            SELECTION_TRIAL.name: self._trial_rows(evidence, by_first),
        }

    def _evidence(self, first: int, families: Sequence[Family]) -> dict[str, Evidence]:
        members = [frozenset(family.members) for family in families]
        counts = samples_of(len(self._panel.sessions) - first, self._block, self._study.bootstrap.seed)
        wanted = np.zeros(len(self._scenarios), dtype=bool)
        for family in families:
            wanted[list(family.members)] = True
        stored, has = self._sums.read(self._holding.against, first)
        is_stored = self._stored >= 0
        # Scenarios without days are simulated again where that takes little, or no sums serve.
        serves = np.zeros(len(wanted), dtype=bool)
        if self._without_days > SIMULATED_AGAIN:
            serves[is_stored] = has[self._stored[is_stored]]
        sums = np.full((len(wanted), len(MEASURES), NUMBERS), np.nan)
        serves &= wanted
        sums[serves] = stored[self._stored[serves]]
        return gather(self._known(first, np.flatnonzero(wanted & ~serves)), sums, members, counts, self._block)

    def _known(self, first: int, places: npt.NDArray[np.int64]) -> Iterator[tuple[int, Differences | None]]:
        """Yield what scenarios have more than buy-and-hold, from their days, as they are kept or simulated again."""
        versions = [*self._versions.values()]
        simulated = [self._scenarios[place] for place in places if versions[place] is None]
        again = simulate(self._panel, [*resolve_all(self._study, simulated)], ledger=False)
        for place in places.tolist():
            version = versions[place]
            if version is None:
                returns = session_returns(next(again).daily, self._study.capital)
            else:
                days = version.read(DAILY).select(NEEDED)
                columns = {name: days[name].to_numpy() for name in NEEDED}
                returns = session_returns(columns, version.facts["capital"])  # type: ignore[arg-type]
            yield place, self._holding.beside(returns, first)

    def _note(self, first: int, evidence: Mapping[str, Evidence]) -> None:
        """Note how rules did that are judged for the first time."""
        known = trials.noted_measures(self._lake)
        tables, sums = [], []
        for measure, of in evidence.items():
            judged = of.known(range(len(self._scenarios)))
            rules = self._rules.take(pa.array(judged))
            is_new = pc.invert(pc.is_in(rules, known.by(measure).rows["rule"].combine_chunks())).to_numpy(
                zero_copy_only=False
            )
            # Of scenarios of one rule the first.
            _, firsts = np.unique(pc.dictionary_encode(rules).indices.to_numpy(), return_index=True)
            is_first = np.zeros(len(judged), dtype=bool)
            is_first[firsts] = True
            places = judged[is_new & is_first]
            found = moments_of(of.sums[places], of.sessions)
            numbers = {name: getattr(found, name) for name in ("mean", "deviation", "skewness", "kurtosis")}
            same = {"measure": measure, "against": self._holding.against, **self._window(first)}
            columns = {"rule": self._rules.take(pa.array(places)), **numbers, **_repeated(same, len(places))}
            tables.append(_table(TRIAL_MEASURE, columns))
            sums.append(of.sums[places])
        trials.note_measures(self._lake, pa.concat_tables(tables), np.concatenate(sums))

    def _window(self, first: int) -> dict[str, Any]:
        days = self._panel.sessions[[first, -1]].tolist()
        return {"first_session": days[0], "last_session": days[1], "sessions": len(self._panel.sessions) - first}

    def _tried(self, family: Family, measure: str, first: int) -> Tried:
        """Return what was tried beside the members of a family: of all scenarios also those no longer in the study."""
        known = self._measured.by(measure)
        own = self._rules.take(pa.array(family.members))
        others = known.take(np.flatnonzero(pc.invert(pc.is_in(known.rows["rule"], own)).to_numpy()))
        comparable = np.full(len(others.rows), family.name == ALL)
        for name, value in {**self._window(first), "against": self._holding.against}.items():
            comparable &= pc.equal(others.rows[name], pa.scalar(value, others.rows[name].type)).to_numpy()
        return Tried(len(self._trials), _noted_ratios(others), others.sums[comparable])

    def _judged(
        self, family: Family, number: int, measure: str, first: int | None, evidence: Evidence | None
    ) -> tuple[Tried, Judgement | None]:
        """Return what was tried beside a family, and how its best did by a measure."""
        if first is None or evidence is None:
            return Tried(len(self._trials)), None
        tried = self._tried(family, measure, first)
        # A sweep is often all there is beside buy-and-hold: the same scenarios are judged once.
        key = (measure, family.members, bool(len(tried.other_sums)))
        found = self._found[key] = self._found.get(key) or judge(evidence, number, family.members, tried)
        return tried, found

    def _test_row(
        self, family: Family, first: int | None, evidence: Evidence | None, tried: Tried, found: Judgement | None
    ) -> dict[str, Any]:
        known = () if evidence is None else evidence.known(family.members)
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
        root, best = self._year**0.5, found.of_best
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

    def _member_rows(self, family: Family, measure: str, found: Judgement | None) -> pa.Table:
        members = np.array(family.members)
        difference, ratio, p_value = np.full((3, len(members)), np.nan)
        if found is not None:
            at = np.searchsorted(members, found.places)
            difference[at], ratio[at] = found.moments.mean * self._year, found.moments.ratio * self._year**0.5
            p_value[np.searchsorted(members, [*found.p_values])] = [*found.p_values.values()]
        places = pa.array(members)
        columns = {
            "strategy": self._strategies.take(places),
            "reserve": self._reserves.take(places),
            "difference": difference,
            "ratio": ratio,
            "in_set": pa.array(p_value > SIZE, mask=np.isnan(p_value)),
            "p_value": p_value,
            **_repeated({"family": family.name, "measure": measure}, len(members)),
        }
        return _table(SELECTION_MEMBER, columns)

    def _trial_rows(
        self, evidence: Mapping[int, Mapping[str, Evidence]], by_first: Mapping[int | None, Sequence[Family]]
    ) -> pa.Table:
        """Return every rule that was ever tried, with its ratios of today where the study has it, else as noted."""
        of_all = next(
            (evidence[first] for first, families in by_first.items() if first is not None and families[0].name == ALL),
            {},
        )
        rules = self._trials["rule"].combine_chunks()
        columns: dict[str, Any] = {name: self._trials[name] for name in self._trials.column_names}
        columns["is_in_study"] = pc.is_in(rules, self._rules)
        for measure in MEASURES:
            ratios = np.full(len(rules), np.nan)
            noted = self._measured.by(measure)
            ratios[_places_of(noted.rows["rule"], rules)] = _noted_ratios(noted)
            if measure in of_all:
                of = of_all[measure]
                known = of.known(range(len(self._scenarios)))
                now = moments_of(of.sums[known], of.sessions).ratio
                ratios[_places_of(self._rules.take(pa.array(known)), rules)] = now
            columns[f"{measure}_ratio"] = ratios * self._year**0.5
        return _table(SELECTION_TRIAL, columns)


def _noted_ratios(of: trials.Measured) -> Floats:
    """Return the ratios of trials as they were noted, 0 where nothing varied."""
    mean, deviation = (of.rows[name].to_numpy() for name in ("mean", "deviation"))
    return np.asarray(np.divide(mean, deviation, out=np.zeros(len(mean)), where=deviation > 0.0))


def _places_of(some: pa.Array | pa.ChunkedArray, all_of_them: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(some, all_of_them).to_numpy(), dtype=np.int64)


def _repeated(values: Mapping[str, Any], rows: int) -> dict[str, pa.Array]:
    """Return columns that have one value in all rows."""
    return {name: pa.repeat(pa.scalar(value), rows) for name, value in values.items()}


def _table(of: LakeTable, columns: Mapping[str, Any]) -> pa.Table:
    """Return columns as a table has them, where NaN is NULL."""
    arrays = [
        pa.array(column, field.type, from_pandas=True) if isinstance(column, np.ndarray) else column.cast(field.type)
        for field in of.arrow_schema
        for column in (columns[field.name],)
    ]
    return pa.table(arrays, schema=of.arrow_schema)


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
