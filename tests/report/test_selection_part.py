"""The sentence that says how many scenarios were tried, and whether the best of them may be lucky."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipelines.report.selection import selection_sentences

BEGAN = dt.date(2000, 1, 3)
BEST: dict[str, Any] = {
    "family": "all", "first_session": BEGAN, "trials": 28, "scenarios": 28, "with_days": 28, "strategy": "held",
    "reserve": 0.1, "difference": 0.01, "deflated": 0.0864, "pbo": 0.164, "spa_p_value": 0.747, "confidence_set": 27,
    "verdict": "not distinguished", "verdict_missing": None,
}  # fmt: skip
HINDSIGHT = " No test corrects for assets that were chosen with hindsight, as survivors are."
Said = Callable[..., str]


@pytest.fixture
def said() -> Iterator[Said]:
    """Return what is said of the best by growth and by Sharpe ratio, with some numbers changed."""
    with duckdb.connect() as con:
        con.execute("create table sessions as select date '2000-01-03' as session")

        def sentence(growth: dict[str, Any], sharpe: dict[str, Any] | None = None, judge_by: str = "growth") -> str:
            rows = [BEST | growth | {"measure": "growth"}, BEST | (sharpe or growth) | {"measure": "sharpe"}]
            con.register("rows", pd.DataFrame(rows))
            con.execute("create or replace table selection_test as from rows")
            (found,) = selection_sentences(con, judge_by)
            return found.removesuffix(HINDSIGHT)

        yield sentence


def test_best_that_may_be_lucky_is_named_with_all_tests(said: Said) -> None:
    assert said({}, {"spa_p_value": 0.65}) == (
        "28 scenarios were tried. The best by growth, held at a reserve of 10 %, did better than buy-and-hold, which "
        "cannot be distinguished from luck: SPA p-value 0.75 (by Sharpe ratio 0.65), deflated Sharpe ratio 0.09, PBO "
        "0.16; the 90 % confidence set of the best has 27 of 28 (selection_test)."
    )


def test_best_by_the_measure_of_the_study_comes_first(said: Said) -> None:
    found = said({}, {"strategy": "other", "verdict": "distinguished", "spa_p_value": 0.004}, judge_by="sharpe")
    assert "The best by Sharpe ratio, other at a reserve of 10 %, did better than buy-and-hold, and is " in found
    assert "distinguished from luck: SPA p-value below 0.01 (by growth 0.75)" in found


def test_study_with_mixes_says_since_when_the_best_is_the_best(said: Said) -> None:
    # Over the whole study another may have grown more, as the table above the sentence shows.
    found = said({"first_session": dt.date(2002, 4, 2)})
    assert found.startswith(
        "28 scenarios were tried. They are compared from 2002-04-02 on, when every mix had decided. The best by growth "
        "since then, held at a reserve of 10 %, did better"
    )
    worse = {"first_session": dt.date(2002, 4, 2), "difference": -0.01}
    assert said(worse).endswith("None did better than buy-and-hold since then, by growth or by Sharpe ratio.")


def test_losers_that_left_the_study_were_tried_all_the_same(said: Said) -> None:
    assert said({"trials": 30}).startswith("30 scenarios were tried, 28 of them in the study. ")
    assert said({"trials": 1, "scenarios": 1}).startswith("1 scenario was tried. ")


def test_best_that_did_worse_is_not_called_better(said: Said) -> None:
    found = said({"difference": -0.01}, {"difference": 0.01})
    assert "By growth none did better than buy-and-hold. The best by Sharpe ratio, held at a reserve" in found
    assert said({"difference": -0.01}).endswith("None did better than buy-and-hold, by growth or by Sharpe ratio.")


def test_what_cannot_be_judged_says_why(said: Said) -> None:
    few = {"strategy": None, "verdict": None, "verdict_missing": "fewer than 32 sessions"}
    assert said(few).endswith(
        "Whether the best is better than buy-and-hold, or lucky, cannot be said: fewer than 32 sessions."
    )
