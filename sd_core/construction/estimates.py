"""What a fit believes of the future: expected returns and their covariance, from the returns of a window.

Estimators are skfolio's; views are combined with an equilibrium here. Importing this imports skfolio, which takes
long.
"""

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
from skfolio.moments import (
    OAS,
    BaseCovariance,
    DenoiseCovariance,
    EmpiricalCovariance,
    EmpiricalMu,
    EWCovariance,
    GerberCovariance,
    LedoitWolf,
    ShrunkMu,
)

from sd_core.construction.history import History, Window
from sd_core.construction.signals import HORIZONS, PREDICTED_SESSIONS, Signals
from sd_core.market.arrays import Floats
from sd_core.study.mixes import BOOSTED, Covariance, Mix, SignalReturn, View

# How sure an equilibrium is, beside one observation of the market (He and Litterman 1999).
TAU = 0.05

_COVARIANCES: dict[Covariance, type[BaseCovariance]] = {
    "ledoit_wolf": LedoitWolf,
    "sample": EmpiricalCovariance,
    "oas": OAS,
    "ewma": EWCovariance,
    "gerber": GerberCovariance,
    "denoised": DenoiseCovariance,
}


class Estimates(NamedTuple):
    """What a fit believes: expected returns and covariance per session of the assets that may be held."""

    expected: Floats
    covariance: Floats


class _Estimated(BaseCovariance):  # type: ignore[misc]
    """Hands a covariance over to skfolio's estimators as it is."""

    def __init__(self, covariance: Floats) -> None:
        self.covariance = covariance

    def fit(self, X: Any, y: Any = None, **_: Any) -> "_Estimated":  # noqa: ARG002, N803  as skfolio calls it
        """Take the covariance instead of the returns."""
        self.covariance_ = self.covariance
        return self


def by_asset(returns: Floats) -> Floats:
    """Return returns as skfolio's estimators see those of a frame: one asset after another in memory.

    Another order of memory gives other last bits. A frame itself would be looked through at every step.
    """
    return np.asfortranarray(returns)


def covariance_estimator(mix: Mix) -> BaseCovariance:
    """Return the estimator of covariances that a mix names."""
    return _COVARIANCES[mix.covariance_or_default]()


def estimate(mix: Mix, history: History, window: Window, date: dt.date, signals: Signals | None = None) -> Estimates:
    """Return what a mix believes at a date.

    Expected returns of an equilibrium are ``δ Σ w`` in excess of cash, w the study's weights of the assets that may be
    held (Black and Litterman 1992).

    Raises:
        ValueError: an equilibrium is asked for and none of these assets has a weight in the study.
    """
    returns = by_asset(window.returns)
    covariance = np.asarray(covariance_estimator(mix).fit(returns).covariance_)
    if mix.uses_expected and (isinstance(mix.expected, SignalReturn) or mix.expected == BOOSTED):
        foreseen = _foreseen(mix, signals or Signals(history.tickers), date)[window.assets]
        if isinstance(mix.expected, SignalReturn):
            foreseen = foreseen * np.sqrt(np.diag(covariance))
        return Estimates(window.cash + foreseen, covariance)
    if not mix.uses_expected or mix.expected_or_default == "shrunk":
        estimator = ShrunkMu(covariance_estimator=_Estimated(covariance))
    else:
        estimator = EmpiricalMu()
    if not mix.is_equilibrium:
        expected = np.asarray(estimator.fit(returns).mu_) if mix.uses_expected else np.zeros(len(covariance))
        return Estimates(expected, covariance)
    weights = history.weights[window.assets]
    if not weights.sum() > 0:
        raise ValueError("none of the assets that may be held has a weight in the study")
    excess = mix.aversion_or_default * covariance @ (weights / weights.sum())
    tickers = [history.tickers[asset] for asset in window.assets]
    views = active_views(mix.views, tickers, date)
    if views:
        excess, covariance = with_views(excess, covariance, tickers, views, history.periods_per_year)
    return Estimates(excess + window.cash, covariance)


def _foreseen(mix: Mix, signals: Signals, date: dt.date) -> Floats:
    """Return what signals let expect of all assets in excess of cash, per session, 0 where they say nothing.

    Of a signal ``max(IC, 0) zᵢ / √n``, in volatilities of a session: over the n sessions of a horizon ``IC σᵢ zᵢ`` is
    expected (Grinold 1994), σᵢ growing with their square root. Of boosted trees what they predict.
    """
    if isinstance(mix.expected, SignalReturn):
        name = mix.expected.signal
        skill = max(0.0, signals.foretold(name, mix.every, date))
        return np.asarray(np.nan_to_num(signals.at(name, date).z) * skill / np.sqrt(HORIZONS[mix.every]))
    return np.nan_to_num(signals.at(BOOSTED, date).value) / PREDICTED_SESSIONS


def active_views(views: list[View], tickers: list[str], date: dt.date) -> list[View]:
    """Return the views that are held at a date on assets that may all be held."""
    return [view for view in views if view.since <= date and set(view.tickers) <= set(tickers)]


def with_views(
    excess: Floats, covariance: Floats, tickers: list[str], views: list[View], periods_per_year: float
) -> tuple[Floats, Floats]:
    """Return expected excess returns and their covariance once views are taken into account.

    Black and Litterman's posterior with P of the views, their returns q and ``Ω = diag((1/c - 1) τ P Σ P')``, c the
    confidence of each view (Idzorek 2005): ``π + τΣP'(τPΣP' + Ω)⁻¹(q - Pπ)``, covariance ``Σ + τΣ -
    τΣP'(τPΣP' + Ω)⁻¹PτΣ``.

    Args:
        excess: expected returns of the equilibrium in excess of cash, per session.
        covariance: of returns, per session.
        tickers: of both.
        views: at least one, on these tickers, in returns a year.
        periods_per_year: sessions of a year.
    """
    picks = np.array([[_share(view, ticker) for ticker in tickers] for view in views])
    returns = np.array([view.excess for view in views]) / periods_per_year
    prior = TAU * covariance
    spread = picks @ prior @ picks.T
    doubt = np.diag([(1.0 / view.confidence - 1.0) for view in views] * np.diag(spread))
    gain = np.linalg.solve(spread + doubt, picks @ prior).T
    return excess + gain @ (returns - picks @ excess), covariance + prior - gain @ picks @ prior


def _share(view: View, ticker: str) -> float:
    return view.long.get(ticker, 0.0) - view.short.get(ticker, 0.0)
