"""How much assets rise on average in bootstrap samples: as in the history, moved to its growth, or uncertain.

Drift is the mean log return of a session with a bar, dividend included. What a sample repeats of the history belongs in
``histories``.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import Floats
from sd_core.metrics.roots import root
from sd_core.resampling.histories import Drawn, Relatives, draw_sessions

# Beside the seed of the sessions, so that the two are independent.
ERRORS = 1


class Growth(NamedTuple):
    """What assets came to over a history or a sample.

    Attributes:
        logs: sum of the log returns, shape (assets,) or (samples, assets).
        bars: sessions with a bar, which a change of drift adds to; the same shape.
    """

    logs: Floats
    bars: Floats

    @property
    def drift(self) -> Floats:
        """Mean log return of a session with a bar; 0 without one."""
        return np.asarray(self.logs / np.maximum(self.bars, 1.0))

    def moved(self, by: Floats | float) -> "Growth":
        """Return the same with other drifts."""
        return Growth(self.logs + by * self.bars, self.bars)

    def held(self, weights: Floats) -> Floats:
        """Return the log growth of what is bought at some weights, summing to 1, and held with its dividends."""
        return np.asarray(np.log(np.exp(self.logs) @ weights))


def _growths(relatives: Relatives, samples: Iterable[Drawn]) -> Growth:
    """Return the growth of every sample, one row each."""
    traded = ~np.isnan(relatives.close)
    returns = np.log(np.where(traded, relatives.close, 1.0) + np.nan_to_num(relatives.dividends))
    found = []
    for sample in samples:
        times = np.bincount(sample.sessions - 1, minlength=len(returns)).astype(float)
        found.append(Growth(times @ returns, times @ traded).moved(0.0 if sample.drift is None else sample.drift))
    return Growth(np.stack([one.logs for one in found]), np.stack([one.bars for one in found]))


def drift_errors(relatives: Relatives, block: float, histories: int, seed: int) -> Iterator[Floats]:
    """Yield how far the drifts of the history may be from the true ones, a draw for every sample.

    A draw is the drift of a bootstrap sample as long as the history, of its own, less that of the history: together
    they spread, for all assets at once, as an estimate from so many sessions does.

    Args:
        relatives: of the history.
        block: mean length of the blocks, in sessions.
        histories: how many draws.
        seed: of the study's samples; the draws are independent of those.

    Yields:
        Log returns per session with a bar, shape (assets,).
    """
    everything = Drawn(np.arange(1, len(relatives.close) + 1))
    [estimate] = _growths(relatives, [everything]).drift
    for sessions in draw_sessions(len(relatives.close) + 1, block, histories, (seed, ERRORS)):
        yield _growths(relatives, [Drawn(sessions)]).drift[0] - estimate


def centring(relatives: Relatives, weights: Floats, samples: Iterable[Drawn]) -> Floats:
    """Return what to add to the drifts so that the median sample grows as the history did.

    What grows is the assets bought at their weights and held. Each asset's drift is moved towards their weighted mean,
    all by the same share of the way: what assets differ by in the history is partly luck, to which the samples add
    luck of their own. Where even equal drifts leave the median too high, or unchanged ones too low, all drifts are
    moved by the same amount for the rest.

    Args:
        relatives: of the history, for samples of any length; what counts is growth per session.
        weights: by asset, summing to 1.
        samples: those that are to be centred.

    Returns:
        Log returns per session with a bar, shape (assets,).
    """
    everything = Drawn(np.arange(1, len(relatives.close) + 1))
    history = Growth(*(column[0] for column in _growths(relatives, [everything])))
    growths = _growths(relatives, samples)
    wanted = float(history.held(weights)) * (len(relatives.sessions) - 1) / len(relatives.close)
    distances = history.drift - history.drift @ weights

    def excess(share: float) -> float:
        return float(np.median(growths.moved(-share * distances).held(weights))) - wanted

    share = _root(excess, 0.0, 1.0)
    moved = growths.moved(-share * distances)
    # The largest step that could be needed is known: a session more or less adds no more than all of the excess.
    most = 2 * abs(excess(share)) / max(float(np.median(growths.bars @ weights)), 1.0)
    rest = _root(lambda step: float(np.median(moved.moved(step).held(weights))) - wanted, -most, most)
    return np.asarray(rest - share * distances)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function is 0 between two ends, or the end that is nearer to it where it does not cross."""
    ends = function(low), function(high)
    if low == high or ends[0] * ends[1] >= 0:
        return low if abs(ends[0]) <= abs(ends[1]) else high
    return root(function, low, high, xtol=1e-14)


def draw_samples(
    relatives: Relatives,
    block: float,
    histories: int,
    seed: int,
    *,
    centred_at: Floats | None = None,
    parameter_uncertainty: bool = False,
) -> Iterator[Drawn]:
    """Yield what bootstrap samples are made of.

    Args:
        relatives: of the history.
        block: mean length of the blocks, in sessions.
        histories: how many samples. Without ``centred_at`` the first ones are the same however many follow.
        seed: the same seed gives the same samples; the sessions that they repeat are the same whatever their drift.
        centred_at: weights by asset, summing to 1, of the portfolio whose median sample is to grow as the history did;
            see :func:`centring`.
        parameter_uncertainty: whether each sample has drifts of its own; see :func:`drift_errors`.
    """

    def drawn() -> Iterator[Drawn]:
        length = len(relatives.sessions) - 1
        sessions = draw_sessions(len(relatives.close) + 1, block, histories, seed, length=length)
        if not parameter_uncertainty:
            yield from map(Drawn, sessions)
            return
        yield from map(Drawn, sessions, drift_errors(relatives, block, histories, seed))

    if centred_at is None:
        yield from drawn()
        return
    centre = centring(relatives, centred_at, drawn())
    for sample in drawn():
        yield Drawn(sample.sessions, centre if sample.drift is None else sample.drift + centre)
