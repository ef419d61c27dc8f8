"""Factors in a whole run: read, regressed on every scenario, published, and kept while nothing changes."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import refresh

from pipelines.lab.home import SQL
from pipelines.steps.plan import plan_run
from pipelines.warehouse.audit import read_identities

STRATEGIES = {"buy_and_hold": {}, "sd8": {"rule": {}, "keep": "daily"}, "unseen": {"rule": {}, "keep": "metrics"}}


def asked(folder: Path, **keys: Any) -> dict[str, Any]:
    return {
        **small_study(folder / "prices"),
        "factors": {"file": str(folder / "ff.csv"), "unit": "percent"},
        "strategies": STRATEGIES,
        **keys,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of prices, and of a file with what AAA returned as one factor and noise as another."""
    folder = tmp_path_factory.mktemp("factors")
    write_prices(folder / "prices")
    closes = pd.read_csv(folder / "prices" / "AAA.csv", index_col="Date", parse_dates=True)["Close"]
    returns = closes.pct_change().dropna() * 100
    noise = np.random.default_rng(8).normal(0, 1, len(returns))
    rows = [
        f"{date:%Y%m%d},{one:.6f},{other:.6f},0.01"
        for date, one, other in zip(returns.index, returns, noise, strict=True)
    ]
    (folder / "ff.csv").write_text("\n".join(["About this file", "", ",Mkt-RF,SMB,RF", *rows, "", "Made for tests"]))
    return folder


@pytest.fixture(scope="module")
def lab(folder: Path) -> Lab:
    lab = Lab(write_study(folder / "small.yaml", asked(folder)), folder / "home")
    refresh(lab.home)
    return lab


def test_every_scenario_with_days_is_explained_as_statsmodels_does(lab: Lab) -> None:
    report = lab.table("report_factor").set_index(["strategy", "reserve"])
    exposures = lab.table("factor_exposure").set_index(["strategy", "reserve", "factor"])
    assert sorted({name for name, _ in report.index}) == ["buy_and_hold", "sd8"]
    factors = lab.table("factor_return").pivot(index="date", columns="factor", values="factor_return")
    days = lab.table("simulation_returns").set_index("session")
    for (strategy, reserve), row in report.iterrows():
        own = days[(days["strategy"] == strategy) & (days["reserve"] == reserve)]["excess_return"]
        # The first factor return is of the second session; the file has no row of the first.
        excess = own[factors.index].iloc[1:]
        design = np.column_stack([np.ones(len(excess)), factors.iloc[1:]])
        options = {"maxlags": int(row["lag"]), "use_correction": True}
        theirs = OLS(excess.to_numpy(), design).fit(cov_type="HAC", cov_kwds=options, use_t=True)
        assert row["observations"] == len(excess) == 258
        assert row["alpha"] == pytest.approx(theirs.params[0] * 252, rel=1e-6)
        assert row["alpha_t"] == pytest.approx(theirs.tvalues[0], rel=1e-6)
        assert row["p_value"] == pytest.approx(theirs.pvalues[0], rel=1e-6)
        assert (row["alpha_low"], row["alpha_high"]) == pytest.approx(theirs.conf_int()[0] * 252, rel=1e-6)
        assert row["r_squared"] == pytest.approx(theirs.rsquared, rel=1e-6)
        assert row["residual_volatility"] == pytest.approx(np.sqrt(theirs.scale * 252), rel=1e-6)
        for place, name in enumerate(factors.columns, start=1):
            exposure = exposures.loc[(strategy, reserve, name)]
            assert exposure["beta"] == pytest.approx(theirs.params[place], rel=1e-6)
            assert exposure["beta_t"] == pytest.approx(theirs.tvalues[place], rel=1e-6)
    # Half of the capital is AAA at the start, the factor; its share of what is held drifts.
    assert exposures.loc[("buy_and_hold", 0.0, "Mkt-RF"), "beta"] == pytest.approx(0.5, abs=0.15)
    assert report["verdicts"].unique().tolist() == [4]
    assert (report["p_value_holm"] >= report["p_value"]).all()


def test_alpha_and_contributions_add_up_and_the_law_notices_where_not(lab: Lab, tmp_path: Path) -> None:
    [law] = [one.sql for one in read_identities(SQL / "audit") if one.table == "report_factor"]
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(lab.published.read_bytes())
    with duckdb.connect(str(broken)) as connection:
        assert connection.sql(law).fetchall() == []
        connection.execute("update factor_exposure set contribution = contribution + 1e-6 where factor = 'SMB'")
        assert len(connection.sql(law).fetchall()) == 4


def test_nothing_is_outdated_until_the_file_or_a_scenario_changes(lab: Lab, folder: Path, tmp_path: Path) -> None:
    assert plan_run(lab.home).is_empty
    one = Lab(write_study(tmp_path / "small.yaml", asked(folder)), lab.copy_to(tmp_path / "home").root)
    changed = asked(folder)
    changed["strategies"] = STRATEGIES | {"sd8": {"rule": {"sd_n": 12}, "keep": "daily"}}
    write_study(one.study_file, changed)
    plan = plan_run(one.home)
    assert {scenario.strategy for scenario in plan.scenarios} == {"sd8"}
    assert "factor_fit" in plan.derived
    before = one.pointers()["factor_fit"]
    refresh(one.home)
    assert one.pointers()["factor_fit"] != before
    assert plan_run(one.home).is_empty
    shorter = tmp_path / "ff.csv"
    lines = (folder / "ff.csv").read_text().splitlines()
    shorter.write_text("\n".join(lines[:42]))
    write_study(one.study_file, changed | {"factors": {"file": str(shorter), "unit": "percent"}})
    assert plan_run(one.home).derived == ["factor_fit"]
    refresh(one.home)
    report = one.table("report_factor")
    assert set(report["missing"]) == {"fewer than 60 rows"}
    assert report[["alpha", "alpha_t", "r_squared", "lag", "verdict"]].isna().all(axis=None)
    assert one.table("factor_exposure")["beta"].isna().all()


def test_report_shows_factors_where_there_are_some(lab: Lab, finished: Lab) -> None:
    page = lab.home.published.report.read_text(encoding="utf-8")
    part = page.split('<section id="factors">')[1].split("</section>")[0]
    assert "Mkt-RF" in part
    assert "buy_and_hold" in part
    assert 'id="factors"' not in finished.home.published.report.read_text(encoding="utf-8")
    for name in ("report_factor", "factor_exposure", "factor_return"):
        assert finished.table(name).empty
