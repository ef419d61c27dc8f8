"""The efficient frontier against its closed form, and the outcome of its portfolios."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from support.pasts import cut_off, past

from sd_core.construction.estimates import estimate
from sd_core.construction.frontier import BELIEVED, POINTS, frontier_rows
from sd_core.construction.history import look_back
from sd_core.construction.optimisers import efficient_portfolios


def test_frontier_of_two_assets_is_the_line_between_them():
    # Of two assets every expected return has one portfolio alone: the weights follow from it.
    history = past(600, 2, drift=0.0005)
    window = look_back(history, 599, 504)
    estimates = estimate(BELIEVED, history, window, history.sessions[599].item())
    weights = efficient_portfolios(estimates, window, POINTS)
    (a, b), covariance = estimates.expected, estimates.covariance
    least = (covariance[1, 1] - covariance[0, 1]) / (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    first = np.clip(least, 0, 1) * a + (1 - np.clip(least, 0, 1)) * b
    targets = np.linspace(first, max(a, b), POINTS)
    assert weights[:, 0] == pytest.approx((targets - b) / (a - b), abs=2e-5)


def test_realised_is_what_the_portfolio_earned_from_the_close_after_on():
    history = past(1050, 3)
    rows = list(frontier_rows(history, {}))
    ends = [place for place in history.decision_places("year") if place >= 504]
    assert [row["point"] for row in rows] == [*range(1, POINTS + 1)] * len(ends)
    last = [row for row in rows if row["point"] == POINTS]
    # The highest expected return is that of one asset alone.
    for row, place, end in zip(last, ends, [*ends[1:], None], strict=True):
        assert (row["assets"], row["largest_weight"], row["decided_session"]) == (
            1,
            1.0,
            history.sessions[place].item(),
        )
        if end is None:
            assert (row["realised_session"], row["realised_return"], row["realised_volatility"]) == (None, None, None)
            continue
        window = look_back(history, place, 504)
        best = estimate(BELIEVED, history, window, row["decided_session"]).expected.argmax()
        after = history.returns[place + 2 : end + 1, best]
        assert row["realised_session"] == history.sessions[end].item()
        assert row["realised_return"] == pytest.approx(252 * after.mean(), rel=1e-9)
        assert row["realised_volatility"] == pytest.approx(np.sqrt(252) * after.std(ddof=1), rel=1e-9)
    for one, other in pairwise(rows):
        if one["decided_session"] == other["decided_session"]:
            assert one["expected_volatility"] <= other["expected_volatility"] + 1e-6
            assert one["expected_return"] <= other["expected_return"] + 1e-6


def test_frontier_knows_nothing_of_what_comes_and_is_not_drawn_again():
    history = past(1050, 3)
    rows = list(frontier_rows(history, {}))
    place = history.decision_places("year")[-2]
    expected = ("decided_session", "point", "expected_return", "expected_volatility", "assets", "largest_weight")
    cut = list(frontier_rows(cut_off(history, place), {}))
    assert [[row[name] for name in expected] for row in cut] == [
        [row[name] for name in expected] for row in rows[: len(cut)]
    ]
    known: dict[str, list] = {}
    for row in rows:
        known.setdefault(row["window_hash"], []).append({**row, "assets": -1})
    again = list(frontier_rows(history, known))
    assert {row["assets"] for row in again} == {-1}
    # A return of the last whole year after: its frontier is drawn again, and the one that saw it.
    moved = history.returns.copy()
    moved[place + 5, 0] += 1e-4
    drawn = [
        row["decided_session"] for row in frontier_rows(replace(history, returns=moved), known) if row["assets"] > 0
    ]
    assert set(drawn) == {row["decided_session"] for row in rows if row["decided_session"] >= history.sessions[place]}
