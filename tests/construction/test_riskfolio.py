"""Weights of least risk against those of Riskfolio-Lib, under nine measures of risk, on the sample's prices.

Riskfolio-Lib 7.4.0 computed them once, from the last 200 returns of ten shares of skfolio's sample, each with
``Portfolio(returns).optimization(model="Classic", rm=…, obj="MinRisk", rf=0, l=0, hist=True)`` after
``assets_stats(method_mu="hist", method_cov="hist")``, ``alpha = 0.05``, solved by Clarabel to 1e-12.
"""

import numpy as np
import pytest
from skfolio.datasets import load_sp500_dataset
from support.pasts import case_of

from sd_core.construction.optimisers import fit

TICKERS = ["AAPL", "BAC", "CVX", "GE", "JNJ", "KO", "MSFT", "PFE", "WMT", "XOM"]
RETURNS = 200
# The weights of what Riskfolio-Lib calls MV, MSV, MAD, CVaR, EVaR, CDaR, ADD, UCI and WR, those above 0.
WEIGHTS = {
    "variance": {"CVX": 0.053252429, "JNJ": 0.629301312, "KO": 0.158970456, "WMT": 0.077885306, "XOM": 0.080590497},
    "semi_variance": {
        "BAC": 0.015692875, "CVX": 0.036953184, "JNJ": 0.704413889, "KO": 0.076597825, "WMT": 0.070044384,
        "XOM": 0.096297843,
    },
    "mean_absolute_deviation": {
        "JNJ": 0.548433449, "KO": 0.225117897, "PFE": 0.008487883, "WMT": 0.086814304, "XOM": 0.131146468,
    },
    "cvar": {"CVX": 0.100763366, "JNJ": 0.744141480, "KO": 0.068389355, "XOM": 0.086705799},
    "evar": {"CVX": 0.236100896, "JNJ": 0.763899104},
    "cdar": {"JNJ": 0.604458609, "WMT": 0.137772419, "XOM": 0.257768972},
    "average_drawdown": {"JNJ": 0.342380924, "KO": 0.249599972, "WMT": 0.135396302, "XOM": 0.272622803},
    "ulcer_index": {"JNJ": 0.344434192, "KO": 0.237533414, "WMT": 0.140624247, "XOM": 0.277408147},
    "worst_realization": {"CVX": 0.358335823, "JNJ": 0.602355974, "WMT": 0.039308203},
}  # fmt: skip
# How far weights may be from each other: both are solved to a tolerance.
TOLERANCES = {"evar": 5e-5}


@pytest.mark.parametrize("risk", WEIGHTS)
def test_least_risk_is_that_of_riskfolio(risk):
    returns = load_sp500_dataset()[TICKERS].pct_change().to_numpy()[-RETURNS:]
    covariance = {"covariance": "sample"} if risk == "variance" else {}
    case = case_of(np.cov(returns.T), returns, returns.mean(axis=0), method="mean_risk", risk=risk, **covariance)
    expected = [WEIGHTS[risk].get(ticker, 0.0) for ticker in TICKERS]
    assert fit(case).weights == pytest.approx(expected, abs=TOLERANCES.get(risk, 1e-6))
