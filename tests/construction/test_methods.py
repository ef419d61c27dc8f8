"""Weights of every method against papers, closed forms and skfolio by itself."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from skfolio.model_selection import WalkForward, cross_val_predict
from skfolio.moments import (
    OAS,
    DenoiseCovariance,
    EmpiricalCovariance,
    EWCovariance,
    GerberCovariance,
    LedoitWolf,
    ShrunkMu,
)
from skfolio.optimization import MeanRisk, ObjectiveFunction
from skfolio.prior import BlackLitterman, EmpiricalPrior
from support.pasts import case_of, decided, past

from sd_core.construction import optimisers
from sd_core.construction.answers import budgets_of
from sd_core.construction.asked import Asked
from sd_core.construction.estimates import estimate, with_views
from sd_core.construction.history import look_back
from sd_core.construction.optimisers import PRECISION, SCALES, Fit, Unsolvable, fit, risk_shares
from sd_core.construction.rounding import basis_points
from sd_core.study.mixes import Mix, View

# He and Litterman (1999), "The Intuition Behind Black-Litterman Model Portfolios", tables 1 and 2: Australia, Canada,
# France, Germany, Japan, UK, USA.
COUNTRIES = ["AUL", "CAN", "FRA", "GER", "JAP", "UK", "USA"]
VOLATILITY = np.array([0.16, 0.203, 0.248, 0.271, 0.21, 0.2, 0.187])
CAPITAL = np.array([0.016, 0.022, 0.052, 0.055, 0.116, 0.124, 0.615])
CORRELATION = [
    [0.488, 0.478, 0.515, 0.439, 0.512, 0.491],
    [0.664, 0.655, 0.310, 0.608, 0.779],
    [0.861, 0.355, 0.783, 0.668],
    [0.354, 0.777, 0.653],
    [0.405, 0.306],
    [0.652],
]


def countries() -> np.ndarray:
    matrix = np.eye(7)
    for row, values in enumerate(CORRELATION):
        matrix[row, row + 1 :] = matrix[row + 1 :, row] = values
    return np.outer(VOLATILITY, VOLATILITY) * matrix


def covariance_of(volatility: list[float], correlations: dict[tuple[int, int], float]) -> np.ndarray:
    matrix = np.eye(len(volatility))
    for (one, other), value in correlations.items():
        matrix[one, other] = matrix[other, one] = value
    return np.outer(volatility, volatility) * matrix


def test_view_of_he_and_litterman_moves_returns_as_their_paper_says():
    # Table 4 of the paper, with more digits by skfolio 1.12.2: Germany returns 5 % more than the rest of Europe.
    covariance = countries()
    europe = {"FRA": 0.052 / 0.176, "UK": 0.124 / 0.176}
    view = View.model_validate(
        {"long": {"GER": 1.0}, "short": europe, "excess": 0.05, "confidence": 0.5, "from": dt.date(1999, 1, 1)}
    )
    expected, _ = with_views(2.5 * covariance @ CAPITAL, covariance, COUNTRIES, [view], 1)
    assert 100 * expected == pytest.approx(
        [4.328188, 7.575790, 9.287498, 11.037475, 4.506245, 6.952870, 8.069433], abs=5e-7
    )


def test_views_give_what_skfolios_black_litterman_gives():
    history = past(400, 4)
    views = [
        {"long": {"AAA": 1.0}, "short": {"BBB": 1.0}, "excess": 0.05, "confidence": 0.3, "from": dt.date(2015, 1, 1)},
        {"long": {"CCC": 1.0}, "excess": -0.02, "confidence": 0.8, "from": dt.date(2015, 1, 1)},
        {"long": {"DDD": 1.0}, "excess": 0.5, "confidence": 0.8, "from": dt.date(2030, 1, 1)},
    ]
    mix = Mix(method="mean_risk", objective="max_utility", expected="black_litterman", covariance="sample", views=views)
    window = look_back(history, 300, 252)
    found = estimate(mix, history, window, dt.date(2016, 6, 1))
    theirs = BlackLitterman(
        views=[f"a0 - a1 == {0.05 / 252:.18f}", f"a2 == {-0.02 / 252:.18f}"],
        view_confidences=[0.3, 0.8],
        tau=0.05,
        prior_estimator=EmpiricalPrior(mu_estimator=_equilibrium()),
    ).fit(pd.DataFrame(window.returns, columns=[f"a{place}" for place in range(window.returns.shape[1])]))
    assert found.expected - window.cash == pytest.approx(theirs.return_distribution_.mu, rel=1e-9)
    assert found.covariance == pytest.approx(theirs.return_distribution_.covariance, rel=1e-9)


def _equilibrium():
    from skfolio.moments import EquilibriumMu

    return EquilibriumMu(risk_aversion=2.5)


def test_expected_returns_of_the_equilibrium_give_the_studys_weights_back():
    # Black and Litterman (1992): they are the returns at which these weights maximise utility.
    weights = np.array([0.1, 0.15, 0.2, 0.25, 0.3])
    mix = {"method": "mean_risk", "objective": "max_utility", "expected": "equilibrium", "risk_aversion": 4.0}
    last = decided(past(300, weights=weights), **mix)[-1]
    assert last.answered_by == "own"
    assert last.points / 10_000 == pytest.approx(weights, abs=1.1e-4)


def test_budgets_of_risk_give_the_weights_of_roncalli():
    # Roncalli (2013), Introduction to Risk Parity and Budgeting, section 2.1.
    covariance = covariance_of([0.30, 0.20, 0.15], {(0, 1): 0.8, (0, 2): 0.5, (1, 2): 0.3})
    case = case_of(covariance / 252, method="risk_budget", budget={"T0": 0.5, "T1": 0.2, "T2": 0.3})
    weights = fit(case).weights
    assert 100 * weights == pytest.approx([31.145, 21.900, 46.955], abs=5e-4)
    assert risk_shares(weights, covariance) == pytest.approx([0.5, 0.2, 0.3], rel=1e-5)


def test_maximum_diversification_gives_the_weights_of_choueifaty():
    # Choueifaty and Coignard (2008): two assets of volatilities 20 and 10 % are held in inverse proportion.
    covariance = covariance_of([0.2, 0.1], {(0, 1): 0.5})
    weights = fit(case_of(covariance / 252, method="max_diversification")).weights
    assert weights == pytest.approx([1 / 3, 2 / 3], abs=1e-6)
    ratio = weights @ [0.2, 0.1] / np.sqrt(weights @ covariance @ weights)
    assert ratio == pytest.approx(1.154701, abs=5e-7)


@pytest.mark.parametrize(
    ("outcomes", "weights", "growth"),
    [
        # Kelly (1956): an even bet that is won in 6 of 10 cases is worth a fifth of the money.
        ([[1.0]] * 6 + [[-1.0]] * 4, [0.2], 0.0201355),
        # Two such bets at once, each outcome as often as it is likely: 36, 24, 24 and 16 of 100. The derivative of
        # 0.36 ln(1 + 2x) + 0.48 ln 1 + 0.16 ln(1 - 2x) is 0 at x = 5/26.
        ([[1.0, 1.0]] * 36 + [[1.0, -1.0]] * 24 + [[-1.0, 1.0]] * 24 + [[-1.0, -1.0]] * 16, [5 / 26] * 2, 0.0394708),
    ],
)
def test_kelly_bets_as_the_closed_form_says(outcomes, weights, growth):
    returns = np.array(outcomes)
    case = case_of(np.eye(returns.shape[1]), returns, returns.mean(axis=0), method="kelly", expected="sample")
    found = fit(case).weights
    assert found == pytest.approx(weights, abs=1e-6)
    assert np.log1p(returns @ found).mean() == pytest.approx(growth, abs=5e-8)


def exact_minimum_variance(covariance: np.ndarray, upper: float) -> np.ndarray:
    """Return the weights that meet the conditions of Karush, Kuhn and Tucker, by trying what is at which bound."""
    count = len(covariance)
    for code in range(3**count):
        at = [(code // 3**place) % 3 for place in range(count)]
        free = np.array([place for place in range(count) if at[place] == 0], dtype=int)
        weights = np.array([upper if one == 2 else 0.0 for one in at])
        if not len(free):
            continue
        system = np.block([[covariance[np.ix_(free, free)], np.ones((len(free), 1))], [np.ones(len(free)), 0.0]])
        right = np.append(-(covariance @ weights)[free], 1.0 - weights.sum())
        solved = np.linalg.solve(system, right)
        weights[free], price = solved[:-1], -solved[-1]
        slope = covariance @ weights - price
        inside = (weights >= -1e-15).all() and (weights <= upper + 1e-15).all()
        if inside and all((one != 1 or slope[p] >= 0) and (one != 2 or slope[p] <= 0) for p, one in enumerate(at)):
            return weights
    raise AssertionError("no weights meet the conditions")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("upper", [1.0, 0.3])
def test_minimum_variance_meets_the_exact_conditions_of_an_optimum(seed, upper):
    history = past(300, seed=seed)
    mix = Mix(method="mean_risk", covariance="sample", **({} if upper == 1.0 else {"max_weight": upper}))
    covariance = estimate(mix, history, look_back(history, 299, 252), dt.date(2016, 1, 1)).covariance
    case = case_of(covariance, **mix.model_dump(exclude_unset=True))
    assert fit(case).weights == pytest.approx(exact_minimum_variance(covariance, upper), abs=1e-5)


@pytest.mark.parametrize("budget", [None, {"bonds": 0.2, "shares": 0.6, "EEE": 0.2}])
def test_shares_of_risk_are_the_budgets_within_a_hundredth_of_a_thousandth(budget):
    history = past(400)
    mix = Mix(method="risk_budget", budget=budget)
    window = look_back(history, 399, 252)
    shares = budgets_of(mix, history, window)
    if budget:
        assert shares == pytest.approx([0.1, 0.1, 0.3, 0.3, 0.2])
    estimates = estimate(mix, history, window, dt.date(2016, 1, 1))
    found = fit(case_of(estimates.covariance, method="risk_budget", budget=dict(zip("vwxyz", shares, strict=True))))
    assert risk_shares(found.weights, estimates.covariance) / shares == pytest.approx(np.ones(5), abs=1e-5)


def test_walk_forward_of_skfolio_gives_the_same_weights_on_the_same_split():
    history = past(160)
    frame = pd.DataFrame(history.returns[1:])
    theirs = cross_val_predict(
        MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_RATIO,
            risk_free_rate=history.cash[0],
            prior_estimator=EmpiricalPrior(mu_estimator=ShrunkMu(LedoitWolf()), covariance_estimator=LedoitWolf()),
            scale_objective=SCALES[0],
            solver_params=dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), PRECISION),
        ),
        frame,
        cv=WalkForward(train_size=60, test_size=20),
    )
    for number, portfolio in enumerate(theirs):
        # A window of 60 returns that ends where theirs does: return 0 is that of session 1.
        window = look_back(history, 60 + 20 * number, 60)
        mix = Mix(method="mean_risk", objective="max_ratio", window=60)
        estimates = estimate(mix, history, window, dt.date(2015, 6, 1))
        case = case_of(
            estimates.covariance, window.returns, estimates.expected, method="mean_risk", objective="max_ratio"
        )
        own = fit(case._replace(window=window)).weights
        assert own == pytest.approx(portfolio.weights, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("ledoit_wolf", LedoitWolf), ("sample", EmpiricalCovariance), ("oas", OAS), ("ewma", EWCovariance),
        ("gerber", GerberCovariance), ("denoised", DenoiseCovariance),
    ],
)  # fmt: skip
def test_estimates_are_bit_for_bit_those_that_skfolio_makes_of_a_frame(name, theirs):
    history = past(300)
    for place in range(253, 299, 5):
        window = look_back(history, place, 252)
        found = estimate(
            Mix(method="mean_risk", objective="max_ratio", covariance=name), history, window, dt.date(2016, 1, 1)
        )
        frame = pd.DataFrame(window.returns)
        assert np.array_equal(found.covariance, theirs().fit(frame).covariance_)
        assert np.array_equal(found.expected, ShrunkMu(covariance_estimator=theirs()).fit(frame).mu_)


METHODS: list[dict[str, Any]] = [
    {"method": "equal"},
    {"method": "inverse_volatility"},
    {"method": "mean_risk"},
    {"method": "mean_risk", "objective": "max_ratio"},
    {"method": "mean_risk", "objective": "max_utility"},
    {"method": "mean_risk", "max_weight": 0.3, "groups": {"shares": [0.1, 0.4]}, "max_turnover": 0.2},
    {"method": "mean_risk", "objective": "max_ratio", "max_turnover": 0.1, "cost_aware": True},
    {"method": "mean_risk", "cost_aware": True},
    *({"method": "mean_risk", "risk": risk} for risk in ("semi_variance", "mean_absolute_deviation", "cvar", "evar")),
    *({"method": "mean_risk", "risk": risk} for risk in ("cdar", "average_drawdown", "ulcer_index")),
    {"method": "mean_risk", "risk": "worst_realization"},
    *({"method": "mean_risk", "covariance": name} for name in ("sample", "oas", "ewma", "gerber", "denoised")),
    {"method": "risk_budget"},
    {"method": "risk_budget", "risk": "cvar", "max_turnover": 0.3},
    {"method": "max_diversification", "max_weight": 0.4},
    {"method": "hrp", "max_weight": 0.5},
    {"method": "herc"},
    {"method": "nco"},
    {"method": "kelly", "fraction": 0.5, "max_weight": 0.6},
]


@pytest.mark.parametrize("mix", METHODS, ids=lambda mix: "-".join(map(str, mix.values())).replace(" ", ""))
def test_every_method_keeps_its_limits_and_answers_by_itself(mix):
    decisions = [one for one in decided(past(190, drift=0.004), **mix) if one.status != "no_window"]
    assert len(decisions) == 6
    for one in decisions:
        assert (one.status, one.answered_by, one.detail) in {("fitted", "own", None), ("inaccurate", "own", None)}
        total, weights = one.points.sum(), one.points / 10_000
        assert total <= 5_000 if mix["method"] == "kelly" else total == 10_000, mix
        assert (weights <= mix.get("max_weight", 1.0) + 1e-12).all()
        if "groups" in mix:
            assert 0.1 - 2e-4 <= weights[2:4].sum() <= 0.4 + 2e-4
        assert one.turnover <= mix.get("max_turnover", 1.0) + 5e-4  # half a basis point of rounding per asset


def test_turnover_is_bounded_over_all_assets_together():
    bounded = decided(past(190), method="mean_risk", max_turnover=0.05)
    free = decided(past(190), method="mean_risk")
    first = next(at for at, one in enumerate(free) if one.status == "fitted")
    assert free[first].turnover > 0.2
    assert bounded[first].turnover == pytest.approx(0.05, abs=3e-4)


def test_costs_keep_weights_nearer_to_what_they_were():
    plain, aware = (
        decided(past(190, fee_rate=0.01), method="mean_risk", objective="max_utility", cost_aware=cost)
        for cost in (False, True)
    )
    assert sum(one.turnover for one in aware) < sum(one.turnover for one in plain)


def test_kellys_growth_is_no_better_anywhere_near_its_weights():
    history = past(400)
    mix = Mix(method="kelly", max_weight=0.4)
    window = look_back(history, 399, 252)
    estimates = estimate(mix, history, window, dt.date(2016, 1, 1))
    case = case_of(estimates.covariance, window.returns, estimates.expected, method="kelly", max_weight=0.4)
    case = case._replace(window=window)
    weights = fit(case).weights
    moved = window.returns - window.returns.mean(axis=0) + estimates.expected

    def growth(weights):
        return np.log1p(window.cash + (moved - window.cash) @ weights).mean()

    draw = np.random.default_rng(1)
    for _ in range(200):
        other = np.clip(weights + draw.normal(0, 0.02, 5), 0, 0.4)
        other /= max(1.0, other.sum())
        assert growth(other) <= growth(weights) + 1e-11


def test_limits_that_no_weights_keep_to_are_named():
    case = case_of(np.eye(3) / 1e4, method="mean_risk", weights={"T0": [0, 0.1], "T1": [0, 0.1], "T2": [0, 0.1]})
    with pytest.raises(Unsolvable, match="no weights keep to the limits") as refused:
        fit(case)
    assert refused.value.infeasible


@pytest.mark.parametrize(
    ("sure_at", "weights", "tried", "accurate"),
    [
        (SCALES[0], [0.5, 0.5], 1, True),
        (SCALES[1], [0.5, 0.5], 2, True),
        # Never: weights that keep to the limits are kept, and marked.
        (None, [0.5, 0.5], 2, False),
        (None, [0.7, 0.3], 2, None),
    ],
)
def test_weights_of_which_the_solver_is_not_sure_are_tried_at_another_scale(
    monkeypatch, sure_at, weights, tried, accurate
):
    scales = []

    def unsure(case):
        scales.append(case.scale)
        return Fit(np.array(weights), accurate=case.scale == sure_at)

    monkeypatch.setitem(optimisers._METHODS, "mean_risk", unsure)
    case = case_of(np.eye(2) / 1e4, method="mean_risk", max_weight=0.6)
    if accurate is None:
        with pytest.raises(Unsolvable, match="a weight is beyond its bounds"):
            fit(case)
    else:
        found = fit(case)
        assert (found.weights.tolist(), found.accurate) == (weights, accurate)
    assert scales == list(SCALES[:tried])


def test_decision_of_which_the_solver_is_not_sure_is_marked(monkeypatch):
    monkeypatch.setitem(optimisers._METHODS, "mean_risk", lambda _: Fit(np.full(5, 0.2), accurate=False))
    last = decided(past(130), method="mean_risk")[-1]
    assert (last.status, last.answered_by, last.detail) == ("inaccurate", "own", None)


def test_basis_points_add_up_and_stay_within_one_of_the_weights():
    draw = np.random.default_rng(3)
    for _ in range(200):
        weights = draw.dirichlet(np.full(draw.integers(1, 30), 0.3))
        points = basis_points(weights, invested=True)
        assert points.sum() == 10_000
        assert (np.abs(points - weights * 10_000) < 1 + 1e-4).all()
        # What differs in the last digits between machines makes no difference.
        assert (basis_points(weights + draw.normal(0, 1e-13, len(weights)), invested=True) == points).all()


def test_one_asset_alone_is_held_whole():
    assert [one.points.tolist() for one in decided(past(150, 1), method="hrp")][-1] == [10_000]
    assert Asked("own", {"own": Mix()}).mix.method == "equal"
