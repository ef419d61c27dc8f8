"""Weights of least risk against those that Riskfolio-Lib 7 keeps of its own tests, under nine measures of risk.

Its prices are real ones, so they are no part of this repository: where its folder ``tests`` is not beside it, this is
skipped.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.lab import PROJECT
from support.pasts import case_of

from sd_core.construction.optimisers import fit

# Files of https://github.com/dcajasn/Riskfolio-Lib/tree/master/tests (BSD licence).
FILES = ("stock_prices.csv", "Classic_MinRisk.csv")
# Our names of what its columns are called, and how far weights may be from each other: both are solved to a tolerance.
MEASURES = {
    "variance": ("MV", 1e-6),
    "semi_variance": ("MSV", 1e-6),
    "mean_absolute_deviation": ("MAD", 1e-6),
    "cvar": ("CVaR", 1e-8),
    "evar": ("EVaR", 5e-5),
    "cdar": ("CDaR", 1e-7),
    "average_drawdown": ("ADD", 1e-7),
    "ulcer_index": ("UCI", 1e-6),
    "worst_realization": ("WR", 1e-7),
}


@pytest.fixture(scope="module")
def folder() -> Path:
    """Return the folder with Riskfolio-Lib's files."""
    found = PROJECT.parent / "shared" / "data" / "riskfolio"
    if not all((found / name).is_file() for name in FILES):
        pytest.skip(f"no {' and '.join(FILES)} of Riskfolio-Lib's tests beside the repository (shared/data/riskfolio)")
    return found


@pytest.mark.parametrize("risk", MEASURES)
def test_least_risk_is_that_of_riskfolio(folder, risk):
    prices, weights = (pd.read_csv(folder / name, index_col=0) for name in FILES)
    column, tolerance = MEASURES[risk]
    # The last 200 returns of its ten shares, the benchmark left out.
    returns = prices[list(weights.index)].pct_change().to_numpy()[-200:]
    covariance = {"covariance": "sample"} if risk == "variance" else {}
    case = case_of(np.cov(returns.T), returns, returns.mean(axis=0), method="mean_risk", risk=risk, **covariance)
    assert fit(case).weights == pytest.approx(weights[column].to_numpy(), abs=tolerance)
