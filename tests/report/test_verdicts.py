"""The words of the headline, most of them on reports made up for the purpose."""

from typing import Any

import pytest

from pipelines.report.verdicts import about_withdrawals, sentences, withdrawn


def row(
    strategy: str,
    twr: float,
    sharpe: float = 0.5,
    volatility: float = 0.2,
    *,
    has_rule: bool = True,
    is_buy_and_hold: bool = False,
) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "has_rule": has_rule,
        "is_buy_and_hold": is_buy_and_hold,
        "reserve": 0.0,
        "twr": twr,
        "sharpe": sharpe,
        "volatility": volatility,
        "excess_over_buy_and_hold": twr - 0.5,
        "is_current": True,
    }


HOLDING = row("hold", 0.5, has_rule=False, is_buy_and_hold=True)


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        (
            [0.4, 0.3],
            "Buy-and-hold beats the rule: it returned 50.0 %. Of 2 scenarios of the rule, 2 returned less. ",
        ),
        ([0.6], "Buy-and-hold returned 50.0 %. Of 1 scenario of the rule, 1 returned more. The best, "),
        ([0.5], "Buy-and-hold returned 50.0 %. Of 1 scenario of the rule, 1 returned the same. The best, "),
        ([0.6, 0.5, 0.4], "Of 3 scenarios of the rule, 1 returned more, 1 the same, 1 less. The best, "),
    ],
)
def test_verdict_counts_what_returned_more_the_same_and_less(returns: list[float], expected: str) -> None:
    rivals = [row(f"sd{number}", twr) for number, twr in enumerate(returns)]
    (sentence,) = sentences([HOLDING, *rivals], HOLDING)
    assert expected in sentence
    assert sentence.endswith(f"sd0 at a reserve of 0 %, returned {returns[0] * 100:.1f} %.")


def test_calmer_scenario_needs_the_higher_sharpe_ratio_and_the_lower_volatility() -> None:
    calm = row("calm", 0.4, sharpe=0.9, volatility=0.1)
    # A loss over more volatility has the higher, because less negative, ratio and is calmer in no way.
    wild = row("wild", 0.3, sharpe=0.6, volatility=0.3)
    assert sentences([HOLDING, calm, wild], HOLDING)[1].startswith("Of those that returned less, 1 had ")


def test_portfolios_without_the_rule_are_compared_separately() -> None:
    yearly, monthly = (row(name, twr, has_rule=False) for name, twr in (("yearly", 0.7), ("monthly", 0.6)))
    verdict, baseline = sentences([HOLDING, yearly, row("sd8", 0.4), monthly], HOLDING)
    assert verdict.startswith("Buy-and-hold beats the rule: it returned 50.0 %. Of 1 scenario of the rule, 1 ")
    assert baseline == (
        "Portfolio rules without the Synthetic Dividend: the best, yearly at a reserve of 0 %, returned 70.0 %."
    )


def test_study_without_buy_and_hold_says_so() -> None:
    (sentence,) = sentences([row("sd8", 0.4)], None)
    assert "no buy-and-hold strategy, {}, at a reserve of 0" in sentence


def withdrawing(paid: float, due: float) -> dict[str, Any]:
    return {"withdrawals": paid, "withdrawals_scheduled": due}


def test_withdrawals_that_were_not_paid_are_reported_beside_the_values() -> None:
    rows = [withdrawing(60_000, 60_000), withdrawing(33_000, 60_000), withdrawing(0, 0)]
    assert [withdrawn(row) for row in rows] == ["60,000", "33,000 of 60,000", "0"]
    (sentence,) = about_withdrawals(rows)
    assert sentence.startswith("Of 2 scenarios with withdrawals, 1 paid less than was due.")
    assert list(about_withdrawals(rows[:1])) == ["Every withdrawal that fell due was paid."]
    assert list(about_withdrawals(rows[2:])) == []
