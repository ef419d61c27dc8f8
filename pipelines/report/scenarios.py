"""Tables of scenarios: the few of the headline, and all of them."""

from collections.abc import Callable, Sequence
from typing import Any

from pipelines.report.numbers import decimal, level, percent, ratio
from pipelines.report.page import Cell, table
from pipelines.report.verdicts import Headline, demerit

# A row takes about a kilobyte, and a page of more than some megabytes is a burden on a phone.
MOST_ROWS = 1000
# What is read first has to be short.
MOST_CHOSEN = 24
_OF_HEADLINE = {
    "reserve",
    "final_value",
    "sharpe",
    "max_drawdown",
    "mean_cash_share",
    "dividends_and_interest_per_year",
    "harvest_net_per_year",
    "skipped_buys",
}

Column = tuple[str, str, Callable[[Any], str]]

_MONEY: Callable[[Any], str] = decimal
_COUNT: Callable[[Any], str] = decimal


def _columns(currency: str) -> list[Column]:
    return [
        ("reserve", "reserve", level),
        (f"final value, {currency}", "final_value", _MONEY),
        ("TWR", "twr", percent),
        ("per year (CAGR)", "cagr", percent),
        ("volatility", "volatility", percent),
        ("Sharpe", "sharpe", ratio),
        ("Sortino", "sortino", ratio),
        ("worst drawdown", "max_drawdown", percent),
        ("mean cash share", "mean_cash_share", percent),
        (f"dividends and interest per year, {currency}", "dividends_and_interest_per_year", _MONEY),
        (f"sales of the rule per year, {currency}", "harvest_net_per_year", _MONEY),
        ("trades", "trades", _COUNT),
        (f"fees, {currency}", "fees", _MONEY),
        ("skipped buys", "skipped_buys", _COUNT),
        ("TWR − buy-and-hold", "excess_over_buy_and_hold", percent),
        ("TWR − buy-and-hold at this reserve", "excess_over_same_reserve", percent),
    ]


def _flow_columns(currency: str) -> list[Column]:
    """Return what is of interest only where money came in or went out."""
    return [
        ("money-weighted (XIRR)", "xirr", percent),
        (f"deposits, {currency}", "deposits", _MONEY),
        *_withdrawn_columns(currency),
        (f"withdrawals due, {currency}", "withdrawals_scheduled", _MONEY),
        ("coverage, gross", "coverage_gross", ratio),
        ("coverage, net", "coverage_net", ratio),
    ]


def _withdrawn_columns(currency: str) -> list[Column]:
    return [
        (f"withdrawn, {currency}", "withdrawals", _MONEY),
        (f"paid to you per year, {currency}", "withdrawals_per_year", _MONEY),
    ]


def _tax_columns(currency: str) -> list[Column]:
    """Return what is known only where the study has tax rates."""
    return [
        (f"taxes, {currency}", "taxes", _MONEY),
        (f"value after taxes, {currency}", "after_tax_value", _MONEY),
        ("per year after taxes", "after_tax_cagr", percent),
        (f"value after selling all, after taxes, {currency}", "after_tax_liquidation_value", _MONEY),
        ("per year after selling all, after taxes", "after_tax_liquidation_cagr", percent),
    ]


def tax_table(headline: Headline) -> str:
    """Return the scenarios of the headline before and after taxes, the best after them first; empty without taxes."""
    rows = [one.row for one in headline.chosen if one.row["after_tax_liquidation_value"] is not None]
    if not rows:
        return ""
    columns = [
        column
        for column in (*_columns(headline.study["currency"]), *_tax_columns(headline.study["currency"]))
        if column[1] in {"reserve", "final_value", "cagr", *_OF_TAXES}
    ]
    if not all(row["is_of_a_year"] for row in rows):
        columns = [column for column in columns if not column[1].endswith("cagr")]
    best = sorted(rows, key=lambda row: (not row["paid_in_full"], -row["after_tax_liquidation_value"]))
    rows = best[:MOST_CHOSEN]
    marked = [number for number, row in enumerate(rows) if row is headline.holding]
    header = ("strategy", *(name for name, *_ in columns))
    cells = [[_name(row), *_cells(row, columns)] for row in rows]
    return table(header, cells, name="After taxes", marked=marked, sortable=True)


_OF_TAXES = {
    "taxes",
    "after_tax_value",
    "after_tax_cagr",
    "after_tax_liquidation_value",
    "after_tax_liquidation_cagr",
}


def headline_table(headline: Headline) -> str:
    """Return the rows of the headline, or the best of them where they are many: buy-and-hold, then the best first."""
    currency = headline.study["currency"]
    growth = "cagr" if all(one.row["is_of_a_year"] for one in headline.chosen) else "twr"
    columns = [column for column in _columns(currency) if column[1] in _OF_HEADLINE | {growth}]
    if any(one.row["withdrawals_scheduled"] for one in headline.chosen):
        columns += _withdrawn_columns(currency)
    best = sorted(headline.chosen, key=lambda one: (one.row is not headline.holding, demerit(one.row)))[:MOST_CHOSEN]
    rows = [[_name(one.row), Cell(one.label, is_number=False), *_cells(one.row, columns)] for one in best]
    marked = [number for number, one in enumerate(best) if one.row is headline.holding]
    return table(("strategy", "", *(name for name, *_ in columns)), rows, name="Headline", marked=marked)


def all_scenarios(headline: Headline) -> tuple[str, int]:
    """Return the table of all scenarios, sortable, and how many are left out because they are too many."""
    currency = headline.study["currency"]
    columns = _columns(currency)
    if any(row["deposits"] or row["withdrawals"] for row in headline.rows):
        columns += _flow_columns(currency)
    if any(row["taxes"] is not None for row in headline.rows):
        columns += _tax_columns(currency)
    best = sorted(headline.rows, key=lambda row: (demerit(row), row["position"], row["reserve"]))[:MOST_ROWS]
    rows = sorted(best, key=lambda row: (row["position"], row["reserve"]))
    marked = [number for number, row in enumerate(rows) if row is headline.holding]
    cells = [[_name(row), *_cells(row, columns)] for row in rows]
    header = ("strategy", *(name for name, *_ in columns))
    return table(header, cells, name="All scenarios", marked=marked, sortable=True), len(headline.rows) - len(rows)


def _name(row: dict[str, Any]) -> Cell:
    return Cell(row["strategy"] + ("" if row["is_current"] else " (outdated)"), is_number=False)


def _cells(row: dict[str, Any], columns: Sequence[Column]) -> list[Cell]:
    return [Cell(write(row[column]), row[column]) for _, column, write in columns]
