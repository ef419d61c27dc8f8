"""Leads between assets against Granger's test in statsmodels, and what counts as proven."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.tsa.stattools import grangercausalitytests

from sd_core.analytics.spillover import WEEKS, leads, spillover_pairs


def weekly(assets: int, seed: int = 5) -> np.ndarray:
    draws = np.random.default_rng(seed)
    weeks = draws.normal(0.001, 0.03, (WEEKS, assets))
    weeks[1:, 1] = 0.2 * weeks[1:, 1] + 0.6 * weeks[:-1, 0]
    weeks[1:, 2] += 0.3 * weeks[:-1, 2]
    return weeks


def test_f_is_that_of_grangers_test_with_one_lag():
    weeks = weekly(4)
    found = leads(weeks)
    for leader in range(4):
        for follower in range(4):
            if leader == follower:
                continue
            # statsmodels asks whether the second column leads the first.
            test = grangercausalitytests(weeks[:, [follower, leader]], maxlag=[1])
            assert found.f_statistic[leader, follower] == pytest.approx(test[1][0]["ssr_ftest"][0], rel=1e-9)
            regressors = sm.add_constant(np.column_stack([weeks[:-1, leader], weeks[:-1, follower]]))
            plane = sm.OLS(weeks[1:, follower], regressors).fit()
            assert found.slope[leader, follower] == pytest.approx(plane.params[1], rel=1e-9)


def test_lead_is_proven_where_its_p_value_is_below_five_percent_of_all_pairs():
    tickers = ("AAA", "BBB", "CCC")
    weeks = weekly(3)
    daily = np.zeros((5 * WEEKS + 1, 3))
    daily[5::5] = np.log1p(weeks)
    sessions = pd.bdate_range("2001-01-01", periods=len(daily)).to_numpy().astype("datetime64[D]")
    rows = spillover_pairs(sessions, tickers, np.cumsum(daily, axis=0), [100, 5 * WEEKS]).to_pylist()
    assert [(row["leader"], row["follower"]) for row in rows] == [("AAA", "BBB")]
    (row,) = rows
    assert row["session"] == sessions[-1].item()
    assert row["leader_return"] == pytest.approx(weeks[-1, 0], rel=1e-12)
    assert row["p_value"] == pytest.approx(stats.f.sf(row["f_statistic"], 1, WEEKS - 4), rel=1e-12)
    assert row["p_value"] < 0.05 / 6


def test_noise_leads_seldom():
    # Of 200 draws of 20 assets, about 5 % claim a lead at all.
    draws = np.random.default_rng(2)
    bound = stats.f.isf(0.05 / 380, 1, WEEKS - 4)
    claims = 0
    for _ in range(200):
        found = leads(draws.normal(0.0, 0.03, (WEEKS, 20))).f_statistic
        np.fill_diagonal(found, 0.0)
        claims += bool((found > bound).any())
    assert claims <= 20


def test_assets_that_do_not_move_or_move_alike_lead_nothing():
    weeks = weekly(3)
    weeks[:, 2] = 0.0
    still = np.column_stack([weeks, weeks[:, 0]])
    found = leads(still)
    assert np.isnan(found.partial[2]).all()
    assert np.isnan(found.partial[0, 3])
    assert np.isfinite(found.partial[0, 1])
