"""Model fits in the lake: when they are recomputed, when they stay, and what is published of outdated ones."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support.lab import Lab
from support.steps import fit, prepare, publish, rebuilt, simulate_part

from pipelines.steps.datasets import CORRELATIONS, FITS
from sd_core.schemas.lake import CORRELATION_SUMMARY

NAMES = {fit.name for fit in FITS}


def change_prices(lab: Lab) -> None:
    file = Path(lab.home.study.source.folder or "") / "AAA.csv"
    bars = pd.read_csv(file, index_col="Date")
    bars.loc["2023-06-15"] *= 1.04
    bars.to_csv(file)


def versions(lab: Lab) -> dict[str, str]:
    return {name: version for name, version in lab.pointers().items() if name in NAMES}


def test_run_publishes_correlations_of_every_pair(finished: Lab) -> None:
    pairs = finished.table("correlation_pair")
    named = set(pairs[["ticker_a", "ticker_b"]].itertuples(index=False, name=None))
    assert named == {("AAA", "BBB"), ("AAA", "CCC"), ("BBB", "CCC")}
    sessions = finished.table("sessions")["session"]
    assert list(finished.table("correlation_summary")["session"]) == list(sessions[63:])
    assert list(finished.table("market_regime")["session"]) == list(sessions)


def test_fits_stay_while_prices_and_settings_are_the_same(lab: Lab) -> None:
    before = versions(lab)
    fit(lab.home)
    assert versions(lab) == before
    assert before.keys() == NAMES


def test_fits_of_the_same_market_have_the_same_bytes(finished: Lab, fresh_lab: Lab) -> None:
    prepare(fresh_lab.home)
    fit(fresh_lab.home)
    for one in FITS:
        stored, again = (lab.home.lake.current(one.name) for lab in (finished, fresh_lab))
        assert stored
        assert again
        for table in one.tables:
            assert stored.file(table).read_bytes() == again.file(table).read_bytes()


def test_fits_of_other_prices_are_left_out_and_reported_until_recomputed(lab_with_prices: Lab) -> None:
    lab = lab_with_prices
    before = lab.table("correlation_summary")
    change_prices(lab)
    prepare(lab.home)
    made = publish(lab.home)
    assert made.outdated_derived == [
        "variance_state",
        "correlations",
        "income_subset",
        "start_date_outcome",
        "selection",
    ]
    assert lab.table("correlation_pair").empty
    assert lab.table("correlation_summary").empty
    assert len(lab.table("market_regime")) == len(lab.table("sessions"))

    simulate_part(lab.home, "sd8", 0.1)
    after = lab.table("correlation_summary")
    assert list(after["session"]) == list(before["session"])
    assert (after["average_correlation"] != before["average_correlation"]).any()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"benchmark": "AAA"}, id="benchmark"),
        pytest.param(
            {"universe": {"AAA": {"weight": 0.9}, "BBB": {"weight": 0.3}, "CCC": {"weight": 0.2}}}, id="weights"
        ),
    ],
)
def test_settings_that_fits_depend_on_refit_them(changed_study: Callable[..., Lab], keys) -> None:
    lab = changed_study(**keys)
    before = versions(lab)
    fit(lab.home)
    after = versions(lab)
    assert all(after[name] != before[name] for name in NAMES)


def test_settings_that_fits_do_not_depend_on_leave_them(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(costs={"bps": 50})
    before = versions(lab)
    fit(lab.home)
    assert versions(lab) == before


def test_portfolios_stored_without_volatility_are_left_out_and_then_recomputed(lab: Lab) -> None:
    stored = lab.home.lake.current("income_subset")
    assert stored
    earlier = {name: value for name, value in stored.facts.items() if name != "version"}
    tables = {"income_subset": stored.read("income_subset").drop_columns("mean_volatility")}
    lab.home.lake.write("income_subset", "", tables, earlier)
    before = lab.pointers()["income_subset"]
    assert publish(lab.home).outdated_derived == ["income_subset"]
    assert lab.pointers()["income_subset"] == before

    fit(lab.home)
    assert lab.pointers()["income_subset"] != before
    renewed = lab.home.lake.current("income_subset")
    assert renewed
    assert renewed.facts == stored.facts


def test_average_that_is_not_that_of_its_pairs_is_found(lab: Lab) -> None:
    stored = lab.home.lake.current(CORRELATIONS.name)
    assert stored
    tables = {name: stored.read(name) for name in CORRELATIONS.tables}
    summary = tables["correlation_summary"].to_pandas()
    summary.loc[7, "average_correlation"] += 0.001
    tables["correlation_summary"] = tables["correlation_summary"].from_pandas(
        summary, CORRELATION_SUMMARY.arrow_schema, preserve_index=False
    )
    lab.home.lake.write(CORRELATIONS.name, "", tables, stored.facts)
    [verdict] = [verdict for verdict in rebuilt(lab.home).verdicts if not verdict.passed]
    assert (verdict.check, verdict.failures) == ("average_correlation_is_that_of_its_pairs", 1)
