"""``sdlab orders``: the limits at which the rule trades next, with their quantities, after the last session.

Which orders there are belongs in ``sd_core.simulation.orders``, what they come to in ``sql``.
"""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.cli.console import open_console
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from pipelines.report.verdicts import percent_of
from pipelines.warehouse.query import open_tables
from pipelines.warehouse.records import records
from sd_core.errors import InputError
from sd_core.study.scenario import Scenario
from sd_core.wording import did_you_mean

# The best scenario first; outdated ones have no rank.
_RANKED = """
select
    report_strategy.strategy,
    report_strategy.reserve,
    report_strategy.is_current,
    study_strategy.rule_variant is not null as has_rule,
    study_strategy.keep = 'ledger' as keeps_orders
from report_strategy
inner join study_strategy using (strategy)
order by report_strategy.rank nulls last, study_strategy.position, report_strategy.reserve
"""

_ORDERS = """
select ticker, side, limit_price, quantity, value, fee, amount, close, distance, restraint
from report_next_order
where strategy = $1 and reserve = $2
order by ticker, side
"""

_AFTER = """
select daily.session, study.next_session, study.currency, daily.bank
from simulation_daily as daily
cross join study
where daily.strategy = $1 and daily.reserve = $2
order by daily.session desc
limit 1
"""

# What keeps an order from being made, in words.
RESTRAINTS = {
    "bank": "the bank and the credit do not cover the purchase",
    "stop": "purchases are halted",
    "band": "the trade would leave the band",
}


def orders(home: StudyHome, strategy: str | None, reserve: float | None, *, as_json: bool) -> ExitCode:
    """Print the next orders of a scenario of the rule, and return the exit code.

    Args:
        home: the study.
        strategy: its strategy; None for the best one that has a rule.
        reserve: its reserve, as a fraction; None for the best one.
        as_json: print JSON, with every digit, instead of a table.

    Raises:
        InputError: nothing was published, or no scenario that is up to date and keeps its orders is meant.
    """
    with open_tables(home) as connection:
        scenario = _meant(records(connection, _RANKED), strategy, reserve)
        given = [scenario.strategy, scenario.reserve]
        found = records(connection, _ORDERS, given)
        [after] = records(connection, _AFTER, given)
    if as_json:
        content = {**scenario._asdict(), **after, "orders": found}
        print(json.dumps(content, indent=2, ensure_ascii=False, default=str))
    else:
        _print(open_console(), scenario, after, found, is_named=strategy is not None and reserve is not None)
    return ExitCode.DONE


def _meant(ranked: Sequence[dict[str, Any]], strategy: str | None, reserve: float | None) -> Scenario:
    """Return the best scenario that has orders, of those with a strategy and a reserve where they are given."""
    if strategy is not None:
        ranked = _of_strategy(ranked, strategy)
    if reserve is not None:
        levels = sorted({row["reserve"] for row in ranked})
        if reserve not in levels:
            known = ", ".join(f"{level:g}" for level in levels)
            raise InputError(f"--reserve: {reserve:g}: expected one of {known}")
        ranked = [row for row in ranked if row["reserve"] == reserve]
    best = next((row for row in ranked if row["has_rule"] and row["keeps_orders"]), None)
    if best is None:
        raise InputError("orders: expected a study with a strategy that has a rule and keeps its ledger")
    scenario = Scenario(strategy=best["strategy"], reserve=best["reserve"])
    if not best["is_current"]:
        raise InputError(f"{scenario.strategy} at {scenario.reserve:g}: outdated, expected a run before")
    return scenario


def _of_strategy(ranked: Sequence[dict[str, Any]], strategy: str) -> list[dict[str, Any]]:
    rows = [row for row in ranked if row["strategy"] == strategy]
    if rows and not rows[0]["has_rule"]:
        raise InputError(f"--strategy: {strategy!r}: expected a strategy with a rule, as others have no orders")
    if rows and not rows[0]["keeps_orders"]:
        raise InputError(f"--strategy: {strategy!r}: expected one that says keep: ledger, as others keep no orders")
    if not rows:
        known = sorted({row["strategy"] for row in ranked if row["has_rule"]})
        raise InputError(f"--strategy: {strategy!r}: expected one of {', '.join(known)}{did_you_mean(strategy, known)}")
    return rows


def _print(
    console: Console, scenario: Scenario, after: dict[str, Any], found: Sequence[dict[str, Any]], *, is_named: bool
) -> None:
    following = f", for {after['next_session']}" if after["next_session"] else ""
    console.print(
        f"{scenario.strategy} at a reserve of {percent_of(scenario.reserve, None)}: orders after the close of "
        f"{after['session']}{following}",
        style="bold",
    )
    if not is_named:
        console.print("the best of the rule, of what was asked for; --strategy and --reserve name another")
    cost = -sum(row["amount"] for row in found if row["side"] == "buy")
    console.print(
        f"{after['bank']:,.2f} {after['currency']} in the bank; all purchases together would cost {cost:,.2f}"
    )
    console.print()
    if not found:
        console.print("There is no order: nothing that it holds or could buy comes to a whole lot.")
        return
    console.print(_table(found))
    restraints = [name for name in RESTRAINTS if any(name == row["restraint"] for row in found)]
    for line in (
        "",
        "limit: the price at which the rule trades; cash: its proceeds, or its cost where negative, after fees",
        "from close: how far the limit is from the last close",
        *(f"{name}: {RESTRAINTS[name]}, so the order would not be made" for name in restraints),
        "Each order is looked at by itself: the bank may cover each of several purchases and not all of them.",
    ):
        console.print(line, style="dim")


def _table(found: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("asset", "side"):
        table.add_column(name)
    for name in ("limit", "shares", "cash", "from close"):
        table.add_column(name, justify="right")
    table.add_column("prevented by")
    for row in found:
        numbers = (
            f"{row['limit_price']:,.4g}" if row["limit_price"] < 1 else f"{row['limit_price']:,.2f}",
            f"{row['quantity']:,.4f}",
            f"{row['amount']:,.2f}",
            percent_of(row["distance"]),
        )
        table.add_row(row["ticker"], row["side"], *numbers, row["restraint"] or "")
    return table
