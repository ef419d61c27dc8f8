"""What a mix comes to by itself at a session, and what answers in its place where it comes to nothing.

When it decides, and what is taken over of earlier decisions, belongs in ``decisions``.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from sd_core.construction.asked import Asked
from sd_core.construction.history import MONTHS, History, Window
from sd_core.construction.limits import limits_of
from sd_core.construction.rounding import WHOLE, Points, basis_points
from sd_core.construction.scoring import budgets_by_score, shrunk_sharpe
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import FitStatus
from sd_core.study.mixes import EQUAL, PREVIOUS, SHARPE, Mix, ScoreBudget, SignalReturn


class Before(NamedTuple):
    """Target weights before a decision, in basis points, and what prices have made of them since."""

    points: Points
    drifted: Floats


class Answer(NamedTuple):
    """Weights that a mix came to by itself, in basis points of all assets, or why it came to none."""

    points: Points | None
    status: str
    detail: str | None
    window: Window | None
    expected: Floats | None
    covariance: Floats | None


def answer(history: History, asked: Asked, place: int, before: Before, window: Window) -> Answer:
    """Return what a mix comes to by itself."""
    # Solvers take long to import, and what is taken over needs none.
    from sd_core.construction.estimates import estimate
    from sd_core.construction.optimisers import Case, Unsolvable, fit

    mix, date = asked.mix, history.sessions[place].item()
    if not len(window.assets):
        return Answer(None, FitStatus.NO_ASSETS, "no asset may be held", window, None, None)
    if not window.has_rows:
        return Answer(None, FitStatus.FEW_ROWS, f"{len(window.returns)} rows of {window.wanted}", window, None, None)
    limits = limits_of(mix, history, window, before.drifted, asked.scores_at(history, place))
    try:
        estimates = estimate(mix, history, window, date, asked.signals)
    except ValueError as error:
        return Answer(None, FitStatus.FAILED, str(error), window, None, None)
    expected = estimates.expected if mix.uses_expected else None
    scores = score_of(asked, history, place, window)
    budgets = budgets_of(mix, history, window) if scores is None else budgets_by_score(scores)
    try:
        found = fit(Case(mix, window, estimates, limits, budgets, _cost(mix, history), scores))
    except Unsolvable as error:
        status = FitStatus.INFEASIBLE if error.infeasible else FitStatus.FAILED
        return Answer(None, status, str(error), window, expected, estimates.covariance)
    points = _spread(limits.held * found.weights, window, len(before.points), invested=limits.whole)
    status = FitStatus.FITTED if found.accurate else FitStatus.INACCURATE
    return Answer(points, status, None, window, expected, estimates.covariance)


def answer_instead(
    history: History, asked: Asked, entry: str, place: int, before: Before, window: Window
) -> Points | None:
    """Return what an entry of a fallback comes to in a mix's place, None where it has no answer either."""
    if entry == PREVIOUS:
        return before.points
    if entry == EQUAL:
        return None if not len(window.assets) else _spread(np.full(len(window.assets), 1.0), window, len(before.points))
    other = asked.of(entry)
    if place < other.mix.window_or_default:
        return None
    return answer(history, other, place, before, other.window_at(history, place)).points


def _spread(weights: Floats, window: Window, count: int, *, invested: bool = True) -> Points:
    """Return weights of the assets that may be held as basis points of all assets."""
    whole = np.zeros(count)
    whole[window.assets] = weights
    return basis_points(whole, invested=invested)


def _cost(mix: Mix, history: History) -> float:
    """Return what a trade costs over each session until the next decision."""
    sessions = history.periods_per_year * MONTHS[mix.every] / 12
    return history.fee_rate / sessions if mix.cost_aware else 0.0


def score_of(asked: Asked, history: History, place: int, window: Window) -> Floats | None:
    """Return the score of each asset that may be held, that weights or budgets follow; None where none do."""
    mix = asked.mix
    if mix.method == "proportional":
        name = mix.score_or_default
    elif isinstance(mix.budget, ScoreBudget):
        name = mix.budget.score
    else:
        return None
    if name == SHARPE:
        return shrunk_sharpe(window, history.periods_per_year)
    return asked.signals_or_none(history).at(name, history.sessions[place].item()).value[window.assets]


def budgets_of(mix: Mix, history: History, window: Window) -> Floats:
    """Return the share of risk of each asset that may be held: its own, or its part of that of its class."""
    budget = mix.budget if isinstance(mix.budget, dict) else {}
    if not budget:
        return np.full(len(window.assets), 1.0 / len(window.assets))
    members = Counter(history.classes[at] for at in window.assets if history.tickers[at] not in budget)
    shares = np.array(
        [
            budget.get(history.tickers[at], budget.get(history.classes[at], 1.0) / max(1, members[history.classes[at]]))
            for at in window.assets
        ]
    )
    return np.asarray(shares / shares.sum())


def contributions(history: History, points: Points, found: Answer) -> Floats | None:
    """Return what each asset adds to the yearly volatility: ``wᵢ (Σw)ᵢ / √(w'Σw) · √periods``.

    None where no covariance covers all that is held.
    """
    if found.covariance is None or found.window is None or _held_elsewhere(points, found.window):
        return None
    weights = points[found.window.assets] / WHOLE
    marginal = found.covariance @ weights
    shares = np.zeros(len(points))
    if (variance := float(weights @ marginal)) > 0.0:
        shares[found.window.assets] = weights * marginal / np.sqrt(variance) * np.sqrt(history.periods_per_year)
    return shares


def expected_return(history: History, points: Points, found: Answer) -> float | None:
    """Return the yearly return that is expected of target weights and the bank; None where no estimate covers them."""
    if found.expected is None or found.window is None or _held_elsewhere(points, found.window):
        return None
    weights = points[found.window.assets] / WHOLE
    in_bank = (1.0 - weights.sum()) * found.window.cash
    return float(weights @ found.expected + in_bank) * history.periods_per_year


def _held_elsewhere(points: Points, window: Window) -> bool:
    """Return whether something is held that the window does not cover."""
    return bool(np.delete(points, window.assets).any())


def condition(covariance: Floats | None) -> float | None:
    """Return the largest over the smallest eigenvalue of a covariance, None where there is none, or it is singular."""
    if covariance is None:
        return None
    values = np.linalg.eigvalsh(covariance)
    return float(values[-1] / values[0]) if values[0] > 0 else None


def read_signals(asked: Asked, history: History, place: int) -> dict[str, list[object]]:
    """Return all that a mix reads of signals at a position, as JSON can hold it."""
    mix, date = asked.mix, history.sessions[place].item()
    found: dict[str, list[object]] = {}
    for name in mix.signals:
        seen = asked.signals_or_none(history).at(name, date)
        found[name] = [None if np.isnan(value) else value for value in (*seen.value.tolist(), *seen.z.tolist())]
    if isinstance(mix.expected, SignalReturn):
        found[mix.expected.signal].append(asked.signals_or_none(history).foretold(mix.expected.signal, mix.every, date))
    return found
