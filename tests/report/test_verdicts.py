"""The words of the headline, most of them on reports made up for the purpose."""

import datetime as dt
from typing import Any

import pytest

from pipelines.report.verdicts import about_starts, about_withdrawals, best_of, percent_of, sentences, withdrawn


def row(strategy: str, cagr: float, rank: int = 1, *, has_rule: bool = True, **others: Any) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "reserve": 0.0,
        "has_rule": has_rule,
        "is_buy_and_hold": False,
        "is_current": True,
        "paid_in_full": True,
        "rank": rank,
        "first_session": dt.date(2020, 1, 2),
        "last_session": dt.date(2023, 12, 29),
        "is_of_a_year": True,
        "cagr": cagr,
        "twr": 3 * cagr,
        "sharpe": 0.5,
        "withdrawals": 0.0,
        "final_value": 1000.0,
    } | others


def beside(strategy: str, outcome: str | None, verdict: str | None, comparison: str = "cash_path") -> dict[str, Any]:
    return {
        "strategy": strategy,
        "reserve": 0.0,
        "comparison": comparison,
        "outcome": outcome,
        "verdict": verdict,
        "comparison_mean_cash_share": 0.42,
        "final_value": 1500.0,
        "cagr": 0.119,
        "sharpe": 0.816,
        "comparison_final_value": 1400.0,
        "comparison_cagr": 0.112,
        "comparison_sharpe": 0.846,
        "verdicts": 3,
        "p_value": None if verdict is None else 0.3,
        "cagr_difference": 0.007,
        "cagr_difference_low": -0.0123,
        "cagr_difference_high": 0.0345,
        "sharpe_difference": -0.03,
        "sharpe_difference_low": -0.1,
        "sharpe_difference_high": 0.2,
    }


HOLDING = row("hold", 0.05, has_rule=False, is_buy_and_hold=True)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        (
            [0.04, 0.03],
            "beats the rule: it returned 5.0 % a year. Of 2 scenarios of the rule, 2 did worse by growth. The best, ",
        ),
        ([0.06], "Buy-and-hold returned 5.0 % a year. Of 1 scenario of the rule, 1 did better by growth. The best, "),
        ([0.05], "Buy-and-hold returned 5.0 % a year. Of 1 scenario of the rule, 1 did the same by growth. The best, "),
        ([0.06, 0.05, 0.04], "Of 3 scenarios of the rule, 1 did better, 1 the same, 1 worse by growth. The best, "),
    ],
)
def test_verdict_counts_what_did_better_the_same_and_worse(rates: list[float], expected: str) -> None:
    rivals = [row(f"sd{number}", cagr, rank=number + 1) for number, cagr in enumerate(rates)]
    (sentence,) = sentences([HOLDING, *rivals], HOLDING, [], "cagr")
    assert expected in sentence
    assert sentence.endswith(f"sd0 at a reserve of 0 %, returned {rates[0] * 100:.1f} % a year.")


@pytest.mark.parametrize(
    ("judge_by", "others", "expected"),
    [
        ("sharpe", {"sharpe": 0.75}, ["had a Sharpe ratio of 0.50", "1 did better by Sharpe ratio", "of 0.75."]),
        ("withdrawals", {"withdrawals": 900.0}, ["paid 0.", "1 did better by withdrawals paid", "paid 900."]),
        ("ending_value", {"final_value": 9.0}, ["ended with 1,000.", "1 did worse by value at the end", "with 9."]),
    ],
)
def test_verdict_is_by_the_measure_that_the_study_names(
    judge_by: str, others: dict[str, Any], expected: list[str]
) -> None:
    (sentence,) = sentences([HOLDING, row("sd8", 0.04, **others)], HOLDING, [], judge_by)
    assert all(part in sentence for part in expected), sentence


def test_scenario_that_fell_short_is_never_the_best() -> None:
    rich = row("rich", 0.9, rank=1, paid_in_full=False)
    poor = row("poor", 0.01, rank=2)
    assert best_of([rich, poor]) is poor
    assert best_of([rich]) is None
    (sentence,) = sentences([HOLDING, rich, poor], HOLDING, [], "cagr")
    assert "2 did worse by growth. The best, poor at a reserve of 0 %," in sentence
    (sentence,) = sentences([HOLDING, rich], HOLDING, [], "cagr")
    assert sentence.endswith("None of them paid every withdrawal.")


def test_growth_of_less_than_a_year_is_not_stated_per_year() -> None:
    short = {"last_session": dt.date(2020, 6, 30), "is_of_a_year": False}
    (sentence,) = sentences([HOLDING | short, row("sd8", 0.04, **short)], HOLDING | short, [], "cagr")
    assert "returned 15.0 %." in sentence
    assert "a year" not in sentence


def test_losses_of_less_than_a_year_are_compared_as_they_are() -> None:
    # Three weeks at -95.5 and at -99 % are both a loss of everything a year, to the last bit.
    short = {"last_session": dt.date(2020, 1, 24), "is_of_a_year": False, "cagr": -1.0}
    holding = HOLDING | short | {"twr": -0.955}
    (sentence,) = sentences([holding, row("sd8", -1.0) | short | {"twr": -0.99}], holding, [], "cagr")
    assert "1 did worse by growth." in sentence


def test_rule_is_compared_with_the_same_cash_and_not_with_the_risk_of_holding() -> None:
    rows = [HOLDING, row("sd4", 0.04, rank=2), row("sd8", 0.03, rank=3)]
    compared = [
        beside("sd4", "better", "not significant"),
        beside("sd4", "worse", None, "rebalanced") | {"comparison_cagr": 0.13},
        beside("sd8", "worse", "worse"),
    ]
    _, counts, best, afterwards = sentences(rows, HOLDING, compared, "cagr")
    assert counts.endswith(
        "1 did better, 1 worse by growth; of these 2 differences 1 is significant, corrected for 3 verdicts."
    )
    assert best == (
        "sd4 at a reserve of 0 %: 11.9 % a year, a Sharpe ratio of 0.816. Its cash without the rule: "
        "11.2 % a year, a Sharpe ratio of 0.846. The difference, 0.70 points (-1.23 to 3.45), is not significant."
    )
    assert afterwards == (
        "As much cash on average, 42 %, rebalanced yearly: 13.0 % a year, a Sharpe ratio of 0.846. Such a share is "
        "known only afterwards, which favours the rule."
    )
    *_, best, _ = sentences(rows, HOLDING, compared, "sharpe")
    assert best.endswith(" The difference, -0.030 (-0.100 to 0.200), is not significant.")


def test_differences_without_an_interval_are_not_counted_as_decided() -> None:
    _, counts, _ = sentences([HOLDING, row("sd4", 0.04)], HOLDING, [beside("sd4", "better", None)], "cagr")
    assert counts.endswith(
        "1 did better by growth; of these 1 difference 0 are significant, corrected for 3 verdicts, 1 cannot be judged."
    )


def test_differences_that_do_not_matter_are_counted_as_too_small() -> None:
    _, counts, best = sentences([HOLDING, row("sd4", 0.04)], HOLDING, [beside("sd4", "better", "too small")], "cagr")
    assert counts.endswith("0 are significant, corrected for 3 verdicts, 1 is too small to matter.")
    assert best.endswith(", is too small.")


def test_growths_that_look_the_same_and_are_not_have_a_digit_more() -> None:
    verdict, *_ = sentences([HOLDING, row("sd8", 0.0496)], HOLDING, [], "cagr")
    assert verdict == (
        "Buy-and-hold beats the rule: it returned 5.00 % a year. Of 1 scenario of the rule, 1 did worse by growth. The "
        "best, sd8 at a reserve of 0 %, returned 4.96 % a year."
    )
    verdict, *_ = sentences([HOLDING, row("sd8", 0.05)], HOLDING, [], "cagr")
    assert "it returned" not in verdict
    assert verdict.endswith("returned 5.0 % a year.")


def test_portfolios_without_the_rule_are_compared_separately() -> None:
    yearly, monthly = (
        row(name, cagr, rank, has_rule=False)
        for rank, (name, cagr) in enumerate((("yearly", 0.07), ("monthly", 0.06)), start=1)
    )
    verdict, baseline = sentences([HOLDING, yearly, row("sd8", 0.04, rank=3), monthly], HOLDING, [], "cagr")
    assert verdict.startswith("Buy-and-hold beats the rule: it returned 5.0 % a year. Of 1 scenario of the rule, 1 ")
    assert baseline == (
        "Portfolio rules without the Synthetic Dividend: the best, yearly at a reserve of 0 %, returned 7.0 % a year."
    )


def start(strategy: str, worst: float, best: float, unpaid: int = 0) -> dict[str, Any]:
    first, last = dt.date(2008, 1, 2), dt.date(2009, 3, 2)
    ends = {"worst": worst, "worst_start": first, "best": best, "best_start": last}
    return {"strategy": strategy, "reserve": 0.0, "starts": 12, "unpaid": unpaid, **ends}


def test_worst_and_best_start_of_the_best_of_the_rule_and_of_holding_are_a_sentence() -> None:
    rows = [HOLDING, row("sd4", 0.04, rank=2), row("sd8", 0.03, rank=3)]
    starts = [start("hold", -0.02, 0.2), start("sd4", 0.012, 0.1, unpaid=1), start("sd8", 0.5, 0.6)]
    [sentence] = about_starts(rows, HOLDING, starts)
    assert sentence == (
        "From 12 start dates, which share sessions: sd4 at a reserve of 0 % returned 1.2 % a year at worst (from "
        "2008-01-02) and 10.0 % at best (from 2009-03-02), and did not pay every withdrawal from 1 start; hold at a "
        "reserve of 0 % returned -2.0 % a year at worst (from 2008-01-02) and 20.0 % at best (from 2009-03-02)."
    )
    assert [*about_starts(rows, HOLDING, [])] == []


def test_study_without_buy_and_hold_says_so() -> None:
    (sentence,) = sentences([row("sd8", 0.04)], None, [], "cagr")
    assert "no buy-and-hold strategy, {}, at a reserve of 0" in sentence


def withdrawing(paid: float, due: float) -> dict[str, Any]:
    money = {"withdrawals": paid, "withdrawals_per_year": paid / 10, "withdrawals_scheduled": due}
    return {**money, "paid_in_full": paid >= due}


def test_withdrawals_that_were_not_paid_are_reported_beside_the_values() -> None:
    rows = [withdrawing(60_000, 60_000), withdrawing(33_000, 60_000), withdrawing(0, 0)]
    assert [withdrawn(row) for row in rows] == ["6,000", "3,300 (55 %)", "0"]
    assert withdrawn({**rows[1], "withdrawals_per_year": None}) == "- (55 %)"
    (sentence,) = about_withdrawals(rows)
    assert sentence.startswith("Of 2 scenarios with withdrawals, 1 paid less than was due.")
    assert list(about_withdrawals(rows[:1])) == ["Every withdrawal that fell due was paid."]
    assert list(about_withdrawals(rows[2:])) == []


def test_what_rounds_to_nothing_has_no_minus() -> None:
    assert [percent_of(-5e-19, 0), percent_of(-0.0004), percent_of(-0.0006)] == ["0 %", "0.0 %", "-0.1 %"]
