"""Living from it, from end to end: withdrawals simulated in bootstrap samples of another length, and reported."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import resample, store

from pipelines.lab.current import current_market, read_panel
from pipelines.steps import withdrawals
from pipelines.steps.progress import unheard
from pipelines.steps.resample import draw_from
from sd_core.resampling.withdrawals import RATE_TOLERANCE
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import TaxRates, resolve
from sd_core.simulation.taxes.owed import simulate_taxed
from sd_core.study.parts import Taxes

HISTORIES = 40
BOOTSTRAP = {"histories": HISTORIES, "block": 10, "years": 2}


def lab_with(folder: Path, **keys: Any) -> Lab:
    """Return a lab whose small study was run with some keys, and asked what it pays."""
    prices = write_prices(folder / "prices")
    index = pd.Series([100.0, 101.0, 103.0], index=pd.to_datetime(["2022-12-15", "2023-04-15", "2023-10-15"]))
    index.rename_axis("Date").rename("Value").to_csv(folder / "index.csv")
    study = small_study(prices) | {"bootstrap": BOOTSTRAP} | keys
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    store(lab.home)
    resample(lab.home)
    return lab


@pytest.fixture(scope="module")
def withdrawing(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab that pays 3 % of the capital each month, indexed, but for sd8, which pays a rate of its value."""
    folder = tmp_path_factory.mktemp("withdrawing")
    own = {"rule": {}, "withdrawals": {"rate": 0.24, "of": "value", "every": "quarter"}}
    return lab_with(
        folder,
        price_index=str(folder / "index.csv"),
        withdrawals={"amount": 300, "indexed": True},
        strategies={"buy_and_hold": {}, "sd8": own},
        bootstrap=BOOTSTRAP | {"withdrawal_rates": [0.36, 0.6]},
    )


def test_every_scenario_has_its_own_withdrawals_and_the_rates_to_try(withdrawing: Lab) -> None:
    found = withdrawing.table("report_withdrawal").query("reserve == 0.1")
    rows = set(found[["strategy", "withdrawal_of", "withdrawal_rate", "is_own"]].itertuples(index=False, name=None))
    # 300 a month are 0.36 of 10,000 a year, which need not be tried again.
    assert rows == {
        ("buy_and_hold", "capital", 0.36, True),
        ("buy_and_hold", "capital", 0.6, False),
        ("sd8", "value", 0.24, True),
        ("sd8", "capital", 0.36, False),
        ("sd8", "capital", 0.6, False),
    }
    assert set(found["histories"]) == {HISTORIES}
    assert set(found["years"]) == {2}


def test_own_withdrawals_leave_what_the_reserve_question_finds_in_the_same_samples(withdrawing: Lab) -> None:
    key = ["strategy", "reserve", "history"]
    own = withdrawing.table("withdrawal_outcome").query("is_own").set_index(key)["final_value"].sort_index()
    asked = withdrawing.table("reserve_bootstrap").set_index(key)["final_value"].sort_index()
    pd.testing.assert_series_equal(own, asked, rtol=1e-12)


def test_sample_pays_what_its_ledger_books(withdrawing: Lab) -> None:
    study = withdrawing.home.study
    panel = read_panel(study, current_market(study, withdrawing.home.lake))
    relatives, drawn, _ = draw_from(study, panel)
    scenario = study.scenarios[1]  # buy-and-hold at a reserve of 0.1
    outcomes = withdrawing.table("withdrawal_outcome").query("is_own and strategy == 'buy_and_hold' and reserve == 0.1")
    outcomes = outcomes.set_index("history")
    ended = 0
    for number, sample in enumerate(drawn, start=1):
        history = relatives.history(sample)
        (result,) = simulate(history, [resolve(study, scenario)], workers=1)
        row = outcomes.loc[number]
        due = sum(
            300 * history.price_index[place] / history.price_index[0]
            for place in range(1, len(history.sessions))
            if history.sessions[place].astype("datetime64[M]") > history.sessions[place - 1].astype("datetime64[M]")
        )
        paid = result.daily["withdrawals"].sum()
        assert row["paid_share"] == pytest.approx(paid / due)
        assert pd.isna(row["first_unpaid_year"]) == (paid > due * (1 - 1e-9))
        assert row["real_value"] == pytest.approx(row["final_value"] / history.price_index[-1] * history.price_index[0])
        ended += not pd.isna(row["first_unpaid_year"])
    assert 0 < ended < HISTORIES


def test_safe_rate_is_paid_by_as_many_samples_as_it_says(withdrawing: Lab) -> None:
    limits = withdrawing.table("withdrawal_limit")
    rates = withdrawing.table("report_safe_withdrawal").set_index(["strategy", "reserve", "certainty"])
    outcomes = withdrawing.table("withdrawal_outcome").query("withdrawal_of == 'capital'")
    for (strategy, reserve), found in limits.groupby(["strategy", "reserve"]):
        for certainty, failing in ((0.9, 4), (0.95, 2), (0.99, 0)):
            assert rates.loc[(strategy, reserve, certainty), "safe_rate"] == np.sort(found["highest_rate"])[failing]
        # The rates to try are on the same side of the highest rate.
        tried = outcomes.query("strategy == @strategy and reserve == @reserve").merge(found, on="history")
        was_paid = tried["first_unpaid_year"].isna()
        assert (tried["withdrawal_rate"] <= tried["highest_rate"]).to_numpy()[was_paid].all()
        assert (tried["withdrawal_rate"] > tried["highest_rate"]).to_numpy()[~was_paid].all()


def test_search_that_ends_early_finds_the_same_safe_rates(withdrawing: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    study = withdrawing.home.study
    market = current_market(study, withdrawing.home.lake)
    monkeypatch.setattr(withdrawals, "PILOTS", 20)
    found = withdrawals.simulate_withdrawals(study, market, unheard)["withdrawal_limit"].to_pandas()
    whole = withdrawing.table("withdrawal_limit")
    assert found["is_beyond"].mean() > 0.2
    assert not found["is_beyond"][found["history"] <= 20].any()
    both = whole.merge(found, on=["strategy", "reserve", "history"], suffixes=("", "_early"))
    searched = both[~both["is_beyond_early"]]
    np.testing.assert_allclose(searched["highest_rate_early"], searched["highest_rate"], rtol=0, atol=RATE_TOLERANCE)
    cut = both[both["is_beyond_early"]]
    assert (cut["highest_rate_early"] <= cut["highest_rate"] + RATE_TOLERANCE).all()
    for _, rows in both.groupby(["strategy", "reserve"]):
        assert rows.nsmallest(5, "highest_rate")["is_beyond_early"].sum() == 0


def test_study_with_taxes_pays_them_from_the_portfolio_in_the_same_samples(withdrawing: Lab) -> None:
    study = withdrawing.home.study
    market = current_market(study, withdrawing.home.lake)
    taxes = Taxes(short_term=0.4, long_term=0.2)
    tables = withdrawals.simulate_withdrawals(study.model_copy(update={"taxes": taxes}), market, unheard)
    key = ["strategy", "reserve", "history"]
    before = withdrawing.table("withdrawal_limit").set_index(key)["highest_rate"].sort_index()
    after = tables["withdrawal_limit"].to_pandas().set_index(key)["highest_rate"].sort_index()
    assert (after <= before + RATE_TOLERANCE).all()
    assert (after < before - RATE_TOLERANCE).mean() > 0.5
    # Of one sample, as it is simulated by itself.
    panel = read_panel(study, market)
    relatives, drawn, _ = draw_from(study, panel)
    history = relatives.history(next(iter(drawn)))
    scenario = study.scenarios[1]
    taxed = simulate_taxed(history, resolve(study, scenario), TaxRates(0.4, 0.2, 0.2, 0.4))
    assert taxed.bills.sum() > 0
    outcomes = tables["withdrawal_outcome"].to_pandas().query("is_own and history == 1").set_index(key)
    found = outcomes.loc[(scenario.strategy, scenario.reserve, 1)]
    assert found["final_value"] == pytest.approx(taxed.result.daily["value"][-1] - taxed.owed)


def test_study_without_withdrawals_tries_four_percent_and_without_rates_nothing(tmp_path: Path) -> None:
    lab = lab_with(tmp_path / "default")
    said = lab.sdlab("run").out
    assert "What does it pay?" in said
    assert "All of this is before taxes.\n" in said
    assert "ath_only at a reserve of" in said.replace("\n", " ")
    found = lab.table("report_withdrawal")
    assert set(found["withdrawal_rate"]) == {0.04}
    assert not found["is_own"].any()
    assert (found["paid_all"] == 1).all()  # 8 % in two years
    assert found[["real_value_low", "real_value_median", "real_value_high"]].isna().all(axis=None)
    assert lab.table("report_safe_withdrawal")["safe_rate"].notna().all()
    study = lab.home.study
    silent = study.model_copy(update={"bootstrap": study.bootstrap.model_copy(update={"withdrawal_rates": []})})
    tables = withdrawals.simulate_withdrawals(silent, current_market(study, lab.home.lake), unheard)
    assert {name: table.num_rows for name, table in tables.items()} == {"withdrawal_outcome": 0, "withdrawal_limit": 0}


def test_without_samples_nothing_is_reported_of_withdrawals(finished: Lab) -> None:
    for name in ("report_withdrawal", "report_withdrawal_year", "report_safe_withdrawal"):
        assert finished.table(name).empty
