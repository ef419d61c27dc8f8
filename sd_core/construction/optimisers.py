"""Methods by which weights are computed from a window: skfolio's, and Kelly's with cvxpy.

Each returns weights of the assets that may be held and that keep to their limits, or raises. Importing this imports
skfolio and cvxpy, which takes long.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
from skfolio import RiskMeasure
from skfolio.optimization import (
    HierarchicalEqualRiskContribution,
    HierarchicalRiskParity,
    MaximumDiversification,
    MeanRisk,
    NestedClustersOptimization,
    ObjectiveFunction,
    RiskBudgeting,
)
from skfolio.prior import BasePrior, EmpiricalPrior, ReturnDistribution

from sd_core.construction.estimates import Estimates, by_asset, covariance_estimator
from sd_core.construction.history import Window
from sd_core.construction.limits import Limits
from sd_core.construction.scoring import proportional
from sd_core.market.arrays import Floats
from sd_core.study.mixes import OPTIMISED, Mix

# Objectives are of the size of daily variances, growth of daily returns; solvers stop too early unless they are
# multiplied. Where one is not sure of its weights, another scale may let it be.
SCALES = (1e4, 1e2)
SCALES_OF_GROWTH = (1e2, 1e4)
# How close to the optimum solvers go; closer, they end more often without being sure.
PRECISION = 1e-10
PRECISION_OF_BUDGETS = 1e-11
# By how much a share of risk may miss its budget, of the budget.
BUDGET_TOLERANCE = 1e-5

_OBJECTIVES = {
    "min_risk": ObjectiveFunction.MINIMIZE_RISK,
    "max_ratio": ObjectiveFunction.MAXIMIZE_RATIO,
    "max_utility": ObjectiveFunction.MAXIMIZE_UTILITY,
}


class Known(BasePrior):  # type: ignore[misc]
    """Hands estimates over to skfolio's optimisers as they are."""

    def __init__(self, expected: Floats, covariance: Floats) -> None:
        self.expected = expected
        self.covariance = covariance

    def fit(self, X: Any, y: Any = None, **_: Any) -> "Known":  # noqa: ARG002, N803  as skfolio calls it
        """Take the returns beside the estimates."""
        self.return_distribution_ = ReturnDistribution(self.expected, self.covariance, np.asarray(X))
        return self


class Fit(NamedTuple):
    """Weights of the assets that may be held, and whether the solver is sure of them."""

    weights: Floats
    accurate: bool


class Unsolvable(Exception):  # noqa: N818  what it is, not that it is an error of ours
    """There are no weights that keep to the limits, or a solver finds none."""

    def __init__(self, reason: str, *, infeasible: bool) -> None:
        super().__init__(reason)
        self.infeasible = infeasible


class Case(NamedTuple):
    """What weights are computed for.

    Attributes:
        mix: how.
        window: from which returns.
        estimates: what is believed of the future.
        limits: what weights must keep to.
        budgets: shares of risk, summing to 1, of the method risk_budget.
        cost: of a trade, of its worth, over the sessions until the next decision; 0 where costs play no part.
        scores: of the assets that may be held, NaN for none; None where the method follows none.
        scale: by which objectives are multiplied.
    """

    mix: Mix
    window: Window
    estimates: Estimates
    limits: Limits
    budgets: Floats
    cost: float
    scores: Floats | None = None
    scale: float = SCALES[0]


def fit(case: Case) -> Fit:
    """Return the weights of a mix, which keep to its limits.

    Raises:
        Unsolvable: there are none, or a solver gives up.
    """
    count = len(case.window.assets)
    found, failures = [], []
    for scale in SCALES_OF_GROWTH if case.mix.method == "kelly" else SCALES:
        try:
            if count == 1 and case.limits.whole:
                found.append(_kept(Fit(np.ones(1), accurate=True), case))
            else:
                found.append(_kept(_fit(case._replace(scale=scale)), case))
        except Unsolvable as error:
            failures.append(error)
            if error.infeasible:
                break
        if found and (found[-1].accurate or case.mix.method not in OPTIMISED):
            break
    if not found:
        raise failures[0]
    return max(found, key=lambda one: one.accurate)


def _fit(case: Case) -> Fit:
    with warnings.catch_warnings():
        # That a solution may be inaccurate is in its status; the rest concerns versions to come.
        warnings.simplefilter("ignore")
        return _METHODS[case.mix.method](case)


def _kept(found: Fit, case: Case) -> Fit:
    """Return weights that keep to their limits."""
    if (broken := case.limits.broken(found.weights)) is not None:
        raise Unsolvable(broken, infeasible=False)
    return found


def _equal(case: Case) -> Fit:
    count = len(case.window.assets)
    return Fit(np.full(count, 1.0 / count), accurate=True)


def _inverse_volatility(case: Case) -> Fit:
    inverse = 1.0 / np.sqrt(np.diag(case.estimates.covariance))
    return Fit(inverse / inverse.sum(), accurate=True)


def _proportional(case: Case) -> Fit:
    assert case.scores is not None
    return Fit(proportional(case.scores), accurate=True)


def _mean_risk(case: Case) -> Fit:
    mix, limits = case.mix, case.limits
    costs: dict[str, Any] = {}
    if case.cost and mix.objective_or_default == "min_risk":
        costs["add_objective"] = lambda w: case.cost * cp.norm1(w - limits.drifted)
    elif case.cost:
        costs = {"transaction_costs": case.cost, "previous_weights": limits.drifted}
    return _solved(
        MeanRisk(
            objective_function=_OBJECTIVES[mix.objective_or_default or "min_risk"],
            # Half, so that the study's weights are the best ones for expected returns of their equilibrium.
            risk_aversion=mix.aversion_or_default / 2.0,
            risk_free_rate=case.window.cash,
            **_risk(mix),
            **_convex(case, PRECISION),
            **costs,
        ),
        case,
    )


def _risk_budget(case: Case) -> Fit:
    found = _solved(
        RiskBudgeting(risk_budget=case.budgets, **_risk(case.mix), **_convex(case, PRECISION_OF_BUDGETS)), case
    )
    if case.limits.are_free and case.mix.risk_or_default == "variance":
        shares = risk_shares(found.weights, case.estimates.covariance)
        if (off := float(np.abs(shares / case.budgets - 1.0).max())) > BUDGET_TOLERANCE:
            raise Unsolvable(f"a share of risk misses its budget by {off:.1e} of it", infeasible=False)
    return found


def risk_shares(weights: Floats, covariance: Floats) -> Floats:
    """Return the share of the variance that each asset adds: ``wᵢ (Σw)ᵢ / w'Σw``, shape (assets,)."""
    marginal = covariance @ weights
    return np.asarray(weights * marginal / (weights @ marginal))


def _max_diversification(case: Case) -> Fit:
    return _solved(MaximumDiversification(**_convex(case, PRECISION)), case)


def _hrp(case: Case) -> Fit:
    return _hierarchical(HierarchicalRiskParity, case, max_weights=case.limits.upper)


def _herc(case: Case) -> Fit:
    return _hierarchical(HierarchicalEqualRiskContribution, case)


def _hierarchical(method: Callable[..., Any], case: Case, **bounds: Floats) -> Fit:
    # These two take the measure of risk, but no level of it: theirs is the one that is the default here.
    estimator = method(
        risk_measure=RiskMeasure[case.mix.risk_or_default.upper()],
        prior_estimator=Known(*case.estimates),
        min_weights=case.limits.lower,
        **bounds,
    )
    return _solved(estimator, case)


def _nco(case: Case) -> Fit:
    # Clusters are parts of the assets, so that covariances are estimated again of each.
    def least_risk() -> MeanRisk:
        prior = EmpiricalPrior(covariance_estimator=covariance_estimator(case.mix))
        return MeanRisk(**_risk(case.mix), prior_estimator=prior, **_precise(PRECISION, case.scale))

    # Folds would judge clusters by sessions that come before those that they were fitted to.
    return _solved(NestedClustersOptimization(least_risk(), least_risk(), cv="ignore"), case)


def _risk(mix: Mix) -> dict[str, Any]:
    level = mix.level_or_default
    return {
        "risk_measure": RiskMeasure[mix.risk_or_default.upper()],
        "cvar_beta": level,
        "evar_beta": level,
        "cdar_beta": level,
    }


def efficient_portfolios(estimates: Estimates, window: Window, count: int) -> Floats:
    """Return portfolios from the least variance to the highest expected return, equally far apart by that return.

    Args:
        estimates: of the assets that may be held.
        window: the returns that they were estimated from.
        count: how many portfolios, at least 4.

    Returns:
        Weights of 0 or more that sum to 1, shape (count, assets).
    """
    given = {"prior_estimator": Known(*estimates), **_precise(PRECISION, SCALES[0])}
    returns = by_asset(window.returns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        least = np.asarray(MeanRisk(**given).fit(returns).weights_, dtype=np.float64)
        # The highest expected return is that of one asset alone; skfolio's own frontier begins above the least risk.
        highest = np.eye(len(least))[estimates.expected.argmax()]
        goals = np.linspace(least @ estimates.expected, highest @ estimates.expected, count)[1:-1]
        between = MeanRisk(min_return=goals, **given).fit(returns).weights_
    return np.vstack([least, np.asarray(between, dtype=np.float64), highest])


def _precise(precision: float, scale: float) -> dict[str, Any]:
    names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
    # Left to itself, Clarabel factorises larger problems on all cores: in twice the CPU time, and with sums whose last
    # digits depend on how many cores there are.
    params = {**dict.fromkeys(names, precision), "direct_solve_method": "qdldl"}
    return {"scale_objective": scale, "solver_params": params, "save_problem": True}


def _convex(case: Case, precision: float) -> dict[str, Any]:
    """Return what all convex methods of skfolio take."""
    limits = case.limits
    given: dict[str, Any] = {
        "prior_estimator": Known(*case.estimates),
        "min_weights": limits.lower,
        "max_weights": limits.upper,
        **_precise(precision, case.scale),
    }
    if len(limits.rows):
        given |= {"left_inequality": limits.rows, "right_inequality": limits.ends}
    if limits.turnover is not None:
        # Ratios and budgets are solved for multiples of the weights, whose sum is the multiple. skfolio's own limit
        # would be one of every asset by itself.
        given["add_constraints"] = lambda w: (
            cp.norm1(w - cp.sum(w) * limits.drifted) + limits.sold * cp.sum(w) <= 2.0 * limits.turnover * cp.sum(w)
        )
    return given


def _solved(estimator: Any, case: Case) -> Fit:
    try:
        estimator.fit(by_asset(case.window.returns))
    except Exception as error:
        status = _status(estimator)
        if status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
            above = " and return more than cash" if case.mix.objective_or_default == "max_ratio" else ""
            raise Unsolvable(f"no weights keep to the limits{above}", infeasible=True) from error
        raise Unsolvable(f"{type(error).__name__}: {error}", infeasible=False) from error
    return Fit(np.asarray(estimator.weights_, dtype=np.float64), _status(estimator) in (None, cp.OPTIMAL))


def _status(estimator: Any) -> str | None:
    """Return what the solver says of its last problem; None where there was none to solve."""
    problem = getattr(estimator, "problem_", None)
    return None if problem is None else str(problem.status)


def _kelly(case: Case) -> Fit:
    """Return Kelly's weights, of which a share is held in the end.

    They maximise ``1/T Σ ln(1 + f + Σ wᵢ (r̃ₜᵢ - f))`` over w of at least 0 that sum to at most 1, f the mean return of
    cash, r̃ the window's returns moved so that their means are the expected ones (Kelly 1956; Thorp 2006).
    """
    window, limits = case.window, case.limits
    moved = window.returns - window.returns.mean(axis=0) + case.estimates.expected
    w = cp.Variable(len(window.assets))
    growth = cp.sum(cp.log(1.0 + window.cash + (moved - window.cash) @ w)) / len(moved)
    if case.cost:
        growth -= case.cost * cp.norm1(limits.held * w - limits.drifted)
    constraints = [w >= limits.lower, w <= limits.upper, cp.sum(w) <= 1.0]
    if len(limits.rows):
        constraints.append(limits.rows @ w <= limits.ends)
    if limits.turnover is not None:
        constraints.append(cp.norm1(limits.held * w - limits.drifted) + limits.sold <= 2.0 * limits.turnover)
    problem = cp.Problem(cp.Maximize(growth * case.scale), constraints)
    try:
        problem.solve(solver=cp.CLARABEL, **_precise(PRECISION, case.scale)["solver_params"])
    except cp.SolverError as error:
        raise Unsolvable(f"SolverError: {error}", infeasible=False) from error
    if w.value is None:
        infeasible = problem.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE)
        raise Unsolvable("no weights keep to the limits" if infeasible else problem.status, infeasible=infeasible)
    return Fit(np.asarray(w.value, dtype=np.float64), problem.status == cp.OPTIMAL)


_METHODS: dict[str, Callable[[Case], Fit]] = {
    "equal": _equal,
    "inverse_volatility": _inverse_volatility,
    "proportional": _proportional,
    "mean_risk": _mean_risk,
    "risk_budget": _risk_budget,
    "max_diversification": _max_diversification,
    "hrp": _hrp,
    "herc": _herc,
    "nco": _nco,
    "kelly": _kelly,
}
