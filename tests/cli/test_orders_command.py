"""``sdlab orders``: which scenario's orders are printed, and how; which ones there are is the simulation's matter."""

import json

import duckdb
import pytest
from support.lab import Lab

BEST = """
select strategy, reserve from report_strategy join study_strategy using (strategy)
where rule_variant is not null order by rank limit 1
"""


def changed(lab: Lab, *statements: str) -> None:
    """Change what is published, and leave no log of it behind."""
    with duckdb.connect(str(lab.published)) as connection:
        for statement in statements:
            connection.execute(statement)


def asked(lab: Lab, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(lab.published), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_orders_are_those_of_the_best_scenario_of_the_rule(finished: Lab) -> None:
    [(strategy, reserve)] = asked(finished, BEST)
    content = json.loads(finished.sdlab("orders", "--json").out)
    assert (content["strategy"], content["reserve"]) == (strategy, reserve)
    whose = f"strategy = '{strategy}' and reserve = {reserve}"
    [(session, bank)] = asked(
        finished, f"select max(session), arg_max(bank, session) from simulation_daily where {whose}"
    )
    assert (content["session"], content["bank"]) == (str(session), bank)
    rows = asked(
        finished, f"select ticker, side, limit_price, quantity from report_next_order where {whose} order by all"
    )
    found = [(row["ticker"], row["side"], row["limit_price"], row["quantity"]) for row in content["orders"]]
    assert found == sorted(rows)


def test_strategy_or_reserve_alone_leaves_the_best_of_the_other(finished: Lab) -> None:
    named = json.loads(finished.sdlab("orders", "--strategy", "sd8", "--reserve", "0.1", "--json").out)
    assert (named["strategy"], named["reserve"]) == ("sd8", 0.1)
    assert {row["side"] for row in named["orders"]} == {"buy", "sell"}
    [(best,)] = asked(finished, "select reserve from report_strategy where strategy = 'ath_only' order by rank limit 1")
    of_strategy = json.loads(finished.sdlab("orders", "--strategy", "ath_only", "--json").out)
    assert (of_strategy["strategy"], of_strategy["reserve"]) == ("ath_only", best)
    at_reserve = json.loads(finished.sdlab("orders", "--reserve", "0", "--json").out)
    assert at_reserve["reserve"] == 0
    assert "the best of the rule" in finished.sdlab("orders", "--strategy", "sd8").out


def test_order_is_a_line_of_limit_shares_cash_and_distance_with_what_prevents_it(lab: Lab) -> None:
    changed(
        lab,
        "delete from report_next_order where side = 'sell' or ticker <> 'AAA'",
        "update report_next_order set limit_price = 1234.5, quantity = 2, amount = -2470.23, distance = -0.0826, "
        "restraint = 'bank'",
        "update simulation_daily set bank = 1000.5",
        "update study set next_session = '2024-01-02', currency = 'CHF'",
    )
    outcome = lab.sdlab("orders", "--strategy", "sd8", "--reserve", "0")
    assert outcome.code == 0, outcome.err
    first, money, _, _, order, *explained = outcome.out.splitlines()
    assert first.startswith("sd8 at a reserve of 0 %: orders after the close of 2023-12-29, for 2024-01-02")
    assert money == "1,000.50 CHF in the bank; all purchases together would cost 2,470.23"
    assert order.split() == ["AAA", "buy", "1,234.50", "2.0000", "-2,470.23", "-8.3", "%", "bank"]
    assert any(line.startswith("bank: the bank and the credit do not cover the purchase") for line in explained)
    assert not any(line.startswith(("stop:", "band:")) for line in explained)
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_scenario_without_any_order_says_so(lab: Lab) -> None:
    changed(lab, "delete from report_next_order")
    outcome = lab.sdlab("orders")
    assert outcome.code == 0
    assert "There is no order" in outcome.out


REFUSED = {
    "without a rule": (("--strategy", "buy_and_hold"), "expected a strategy with a rule", ()),
    "unknown strategy": (("--strategy", "sd9"), "expected one of ath_only, sd8 (did you mean sd8?)", ()),
    "unknown reserve": (("--reserve", "10"), "--reserve: 10: expected one of 0, 0.1", ()),
    "outdated": (("--strategy", "sd8"), "outdated", ("update report_strategy set rank = null, is_current = false",)),
    "metrics alone": (("--strategy", "sd8"), "keep: ledger", ("update study_strategy set keep = 'metrics'",)),
    "no rule at all": ((), "expected a study with a strategy", ("update study_strategy set rule_variant = null",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_orders_is_refused_with_what_was_expected(lab: Lab, name: str) -> None:
    options, expected, changes = REFUSED[name]
    changed(lab, *changes)
    outcome = lab.sdlab("orders", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.err
