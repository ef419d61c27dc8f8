"""Metrics of scenarios on the bundled sample, thirty-three years of real prices, against empyrical-reloaded."""

import empyrical
import numpy as np
import pandas as pd
import pytest
from support.lab import PROJECT
from support.lake_tables import build_only
from support.simulated_lake import fill_from_simulation, risk_free_returns

from sd_core.market.build import build_market, to_panel
from sd_core.market.panel import Panel
from sd_core.market.sources.registry import fetch, open_source
from sd_core.simulation.rules import Rules, resolve
from sd_core.study.loading import load_study
from sd_core.study.scenario import Scenario

TOLERANCE = 1e-12
SCENARIOS = ("buy_and_hold", "sd8", "sd8_symmetric")


@pytest.fixture(scope="module")
def sample() -> tuple[Panel, dict[str, Rules]]:
    """Return the demo's panel and the rules of some of its scenarios at a reserve of 10 %."""
    study = load_study(PROJECT / "studies" / "demo.yaml")
    source = open_source(study)
    market = build_market(study, {ticker: fetch(source, study, ticker) for ticker in study.price_tickers}, None)
    rules = {name: resolve(study, Scenario(strategy=name, reserve=0.1)) for name in SCENARIOS}
    return to_panel(study, market.sessions, market.prices, market.rates), rules


def test_metrics_of_real_prices_agree_with_empyrical(con, sample):
    panel, rules = sample
    results = fill_from_simulation(con, panel, rules)
    build_only(con, "simulation_metrics")
    found = con.execute("from simulation_metrics").df().set_index("strategy")
    riskless = risk_free_returns(panel)
    days = int((panel.sessions[-1] - panel.sessions[0]).astype(int))
    assert len(found) == len(SCENARIOS)
    for name, result in results.items():
        value = np.concatenate([[rules[name].capital], result.daily["value"]])
        returns = pd.Series(value[1:] / value[:-1] - 1)  # nothing comes in or goes out
        row = found.loc[name]
        growth = 1 + empyrical.cum_returns_final(returns)
        expected = {
            "twr": growth - 1,
            "volatility": empyrical.annual_volatility(returns),
            "sharpe": empyrical.sharpe_ratio(returns - riskless),
            "sortino": empyrical.sortino_ratio(returns - riskless),
            "max_drawdown": empyrical.max_drawdown(returns),
            "value_at_risk": empyrical.value_at_risk(returns),
            "conditional_value_at_risk": empyrical.conditional_value_at_risk(returns),
            # By calendar days, where empyrical counts sessions.
            "cagr": growth ** (365.25 / days) - 1,
        }
        for metric, figure in expected.items():
            assert row[metric] == pytest.approx(figure, rel=TOLERANCE), (name, metric)
