"""Is the best of a family of scenarios distinguished from buy-and-hold? All tests together, on the same evidence.

Evidence is gathered once of all scenarios; each family of them is then judged by what was gathered of its members.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from sd_core.market.arrays import Floats, Integers
from sd_core.resampling.blocks import stationary_draws
from sd_core.selection.deflation import deflated, effective_trials, expected_best, sessions_needed
from sd_core.selection.differences import (
    BLOCKS,
    MEASURES,
    NUMBERS,
    Differences,
    Moments,
    block_lengths,
    moments_of,
    sums_of,
)
from sd_core.selection.overfitting import Overfitting, overfitting
from sd_core.selection.superiority import (
    SAMPLES,
    Counts,
    Superiority,
    confidence_p_values,
    draw_counts,
    long_run_variance,
    resampled_means,
    superiority,
)

# What it takes to be distinguished: at most, at least, below.
MOST_P_VALUE = 0.05
LEAST_DEFLATED = 0.95
BELOW_OVERFITTING = 0.5
# Of the model confidence set.
SIZE = 0.1
# Series that are resampled at once, so that memory stays bounded.
AT_ONCE = 200


@dataclass(frozen=True)
class Evidence:
    """What is known by one measure of scenarios over the same sessions.

    Attributes:
        sessions: how many.
        sums: of the differences of each scenario, shape (scenarios, numbers); NaN where nothing is known.
        columns: the column of each place in what follows; of scenarios whose days are known.
        samples: means of the bootstrap samples, shape (samples, columns).
        variances: long-run variances, shape (columns,).
        twins: by column, the first one of the same differences.
        total: sum of the standardised differences of each family, and of how many, to find their mean correlation.
    """

    sessions: int
    sums: Floats
    columns: dict[int, int]
    samples: Floats
    variances: Floats
    twins: list[int]
    total: Sequence[tuple[Floats, int]]

    def known(self, members: Sequence[int]) -> Integers:
        """Return the places of those of which something is known."""
        places = np.asarray(members, dtype=np.int64)
        return np.asarray(places[~np.isnan(self.sums[places, 0])])


def samples_of(sessions: int, block: float, seed: int) -> Counts:
    """Return how often each bootstrap sample repeats each session; the same seed gives the same samples."""
    return draw_counts(sessions, islice(stationary_draws(sessions, block, np.random.default_rng(seed)), SAMPLES))


def gather(
    known: Iterable[tuple[int, Differences | None]],
    sums: Floats,
    families: Sequence[frozenset[int]],
    counts: Counts,
    block: float,
) -> dict[str, Evidence]:
    """Return the evidence by measure.

    Args:
        known: places of scenarios with days, in their order, and their differences; None where they have none.
        sums: of all scenarios by measure, shape (scenarios, measures, numbers); NaN where nothing is known, or days.
        families: the places of their members.
        counts: of the bootstrap samples.
        block: mean length of their blocks.
    """
    gathering = [_Gathering(sums[:, number].copy(), families, counts, block) for number in range(len(MEASURES))]
    for place, one in known:
        for gathered, series in zip(gathering, one or (), strict=False):
            gathered.add_series(place, series)
    return {measure: one.evidence() for measure, one in zip(MEASURES, gathering, strict=True)}


class _Gathering:
    """Evidence in the making: series are discarded as soon as they are resampled."""

    def __init__(self, sums: Floats, families: Sequence[frozenset[int]], counts: Counts, block: float) -> None:
        self._sums = sums
        self._families, self._counts, self._block = families, counts, block
        self._columns: dict[int, int] = {}
        self._first: dict[bytes, int] = {}
        self._twins: list[int] = []
        self._waiting: list[Floats] = []
        self._samples: list[Floats] = [np.empty((len(counts), 0))]
        self._variances: list[Floats] = [np.empty(0)]
        self._total: list[tuple[Floats, int]] = [(np.zeros(counts.shape[1]), 0) for _ in families]

    def add_series(self, place: int, series: Floats) -> None:
        """Add the differences of a scenario by session."""
        self._sums[place] = sums_of(series)
        self._columns[place] = len(self._twins)
        self._twins.append(self._first.setdefault(hashlib.sha256(series.tobytes()).digest(), len(self._twins)))
        spread = float(np.std(series))
        if spread > 0.0:
            standardised = (series - series.mean()) / spread
            for number, members in enumerate(self._families):
                if place in members:
                    total, count = self._total[number]
                    self._total[number] = total + standardised, count + 1
        self._waiting.append(series)
        if len(self._waiting) == AT_ONCE:
            self._resample()

    def evidence(self) -> Evidence:
        """Return what was gathered."""
        self._resample()
        return Evidence(
            sessions=self._counts.shape[1],
            sums=self._sums,
            columns=self._columns,
            samples=np.concatenate(self._samples, axis=1),
            variances=np.concatenate(self._variances),
            twins=self._twins,
            total=self._total,
        )

    def _resample(self) -> None:
        if self._waiting:
            columns = np.column_stack(self._waiting)
            self._samples.append(resampled_means(columns, self._counts))
            self._variances.append(long_run_variance(columns, self._block))
            self._waiting = []


@dataclass(frozen=True)
class Tried:
    """What was ever tried, beside the members of a family.

    Attributes:
        trials: how many rules in all, members too.
        other_ratios: those of rules that are no member, where known, shape (rules,).
        other_sums: those of rules that are no member and may have been chosen from as well, over the same sessions,
            shape (rules, numbers).
    """

    trials: int
    other_ratios: Floats = field(default_factory=lambda: np.empty(0))
    other_sums: Floats = field(default_factory=lambda: np.empty((0, NUMBERS)))


@dataclass(frozen=True)
class Judgement:
    """How the best of a family did beside buy-and-hold.

    Attributes:
        places: of the members of which something is known, ascending.
        moments: of each of them.
        best: place of the one with the highest mean difference.
        mean_correlation: of the differences of members whose days are known; None for fewer than two.
        effective: independent trials that all trials come to; None without a mean correlation.
        ratio_deviation: standard deviation of the ratios among all trials.
        expected: ratio that the best of them is expected to have by luck.
        deflated: probability that the best is better than that.
        needed: sessions that its ratio takes to be above 0 at 95 %; None where it is not.
        overfitting: None for fewer than two members.
        superiority: None where no days are known.
        p_values: of the members in the confidence set, by place; of those whose days are known.
        is_distinguished: None where a test is missing that could make the difference.
    """

    places: Integers
    moments: Moments[Floats]
    best: int
    mean_correlation: float | None
    effective: float | None
    ratio_deviation: float
    expected: float
    deflated: float
    needed: float | None
    overfitting: Overfitting | None
    superiority: Superiority | None
    p_values: dict[int, float]
    is_distinguished: bool | None

    @property
    def of_best(self) -> Moments[float]:
        """The moments of the best."""
        return _one_of(self.moments, int(np.searchsorted(self.places, self.best)))

    @property
    def in_set(self) -> frozenset[int]:
        """Places of the members of which one is the best with 90 % confidence; none where no days are known."""
        return frozenset(place for place, p_value in self.p_values.items() if p_value > SIZE)


def judge(evidence: Evidence, family: int, members: Sequence[int], tried: Tried) -> Judgement | None:
    """Return how the best member of a family did beside buy-and-hold; None where nothing is known of any.

    Args:
        evidence: by one measure.
        family: its number among the families that the evidence was gathered for.
        members: places of its members, ascending.
        tried: what was ever tried.
    """
    known = evidence.known(members)
    if not len(known):
        return None
    moments = moments_of(evidence.sums[known], evidence.sessions)
    best = int(moments.mean.argmax())
    ratios = np.concatenate([moments.ratio, tried.other_ratios])
    spread = float(np.std(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    expected = expected_best(tried.trials, spread**2)
    correlation = _mean_correlation(*evidence.total[family])
    overfit = _overfitting(np.concatenate([evidence.sums[known], tried.other_sums]), evidence.sessions)
    of_best = _one_of(moments, best)
    chance = deflated(of_best, evidence.sessions, expected)
    superior, p_values = _by_samples(evidence, known, moments)
    return Judgement(
        places=known,
        moments=moments,
        best=int(known[best]),
        mean_correlation=correlation,
        effective=None if correlation is None else effective_trials(tried.trials, correlation),
        ratio_deviation=spread,
        expected=expected,
        deflated=chance,
        needed=sessions_needed(of_best),
        overfitting=overfit,
        superiority=superior,
        p_values=p_values,
        is_distinguished=is_distinguished(
            None if superior is None else superior.consistent,
            chance,
            None if overfit is None else overfit.probability,
        ),
    )


def _one_of(moments: Moments[Floats], number: int) -> Moments[float]:
    return Moments(*(float(values[number]) for values in moments))


def is_distinguished(p_value: float | None, chance: float, overfit: float | None) -> bool | None:
    """Return whether every test is passed; False as soon as one is not, None where one is missing.

    >>> is_distinguished(0.01, 0.99, 0.2), is_distinguished(None, 0.9, 0.2), is_distinguished(None, 0.99, 0.2)
    (True, False, None)
    """
    passed = [
        None if p_value is None else p_value <= MOST_P_VALUE,
        chance >= LEAST_DEFLATED,
        None if overfit is None else overfit < BELOW_OVERFITTING,
    ]
    return False if False in passed else None if None in passed else True


def _mean_correlation(total: Floats, count: int) -> float | None:
    """Return the mean correlation of all pairs of standardised series, from their sum.

    The variance of the sum of N of them is N + N (N - 1) times that mean, so no pair is looked at.
    """
    return float(np.mean(total**2) - count) / (count * (count - 1)) if count > 1 else None


def _overfitting(sums: Floats, sessions: int) -> Overfitting | None:
    if len(sums) < 2:
        return None
    return overfitting(sums[:, :BLOCKS].T, sums[:, BLOCKS : 2 * BLOCKS].T, block_lengths(sessions))


def _by_samples(
    evidence: Evidence, known: Integers, moments: Moments[Floats]
) -> tuple[Superiority | None, dict[int, float]]:
    """Return what bootstrap samples say: superiority, and p-values in the confidence set by place."""
    if not evidence.columns:
        return None, {}
    column_of = {place: evidence.columns[place] for place in known.tolist() if place in evidence.columns}
    if not column_of:
        return None, {}
    # Of the same differences one is enough, and two would leave the confidence set without a deviation.
    first_of = {evidence.twins[column]: place for place, column in reversed(column_of.items())}
    columns = sorted(first_of)
    means = moments.mean[np.searchsorted(known, [first_of[column] for column in columns])]
    samples = evidence.samples[:, columns]
    found = superiority(means, samples, evidence.variances[columns], evidence.sessions)
    p_values = dict(zip(columns, confidence_p_values(means, samples).tolist(), strict=True))
    return found, {place: p_values[evidence.twins[column]] for place, column in column_of.items()}
