"""The table that sets scenarios of the rule beside the same cash without it."""

from typing import Any

from pipelines.report.numbers import NOTHING, decimal, level, percent
from pipelines.report.page import Cell, table
from pipelines.report.verdicts import MEASURES, Headline, demerit, is_same

# In the order shown: first the one that could have been followed.
NAMES = {
    "cash_path": "its cash of the month before",
    "rebalanced": "rebalanced yearly",
    "buy_and_hold": "bought and held",
}


NAMED = ("strategy", "reserve", "the same cash")


def equal_cash_tables(headline: Headline) -> str:
    """Return the best scenario of each strategy of the rule beside the same cash; empty where the study has none.

    Growth and its verdict come first; what the two risked and paid out is a table of its own, so that both fit a page.
    """
    rows = _rows(headline)
    if not rows:
        return ""
    growth = [
        [
            *_names(row),
            *_pair(row, "mean_cash_share"),
            *_pair(row, "cagr"),
            *_difference(row, "cagr", 100, 2),
            Cell(decimal(row["p_value_holm"], 3), row["p_value_holm"]),
            Cell(row["verdict"] or NOTHING, is_number=False),
        ]
        for row in rows
    ]
    risk = [
        [*_names(row), *_pair(row, "sharpe"), *_difference(row, "sharpe", 1, 3), *_pair(row, "max_drawdown")]
        for row in rows
    ]
    by = MEASURES[headline.study["judge_by"]][1]
    of_growth = (
        "cash",
        "its cash",
        "per year (CAGR)",
        "its CAGR",
        "difference, points",
        "95 % interval",
        "corrected p",
    )
    of_risk: tuple[str, ...] = ("Sharpe", "its Sharpe", "difference", "95 % interval", "worst drawdown", "its drawdown")
    # What paid the same needs no columns to say so, and with them the table is wider than a page.
    if any(row["withdrawals"] and not is_same(row["withdrawals"], row["comparison_withdrawals"]) for row in rows):
        of_risk += (f"withdrawn, {headline.study['currency']}", "its withdrawals")
        for cells, row in zip(risk, rows, strict=True):
            cells += [Cell(decimal(row[name]), row[name]) for name in ("withdrawals", "comparison_withdrawals")]
    return "".join(
        table((*NAMED, *header), cells, name=f"The rule beside the same cash: {name}")
        for name, header, cells in (("growth", (*of_growth, f"verdict by {by}"), growth), ("risk", of_risk, risk))
    )


def _rows(headline: Headline) -> list[dict[str, Any]]:
    """Return the comparisons of the best scenario of each strategy, in the study's order."""
    best: dict[str, float] = {}
    for row in sorted(headline.rows, key=demerit):
        if row["is_current"]:
            best.setdefault(row["strategy"], row["reserve"])
    places = {row["strategy"]: row["position"] for row in headline.rows}
    order = list(NAMES)
    return sorted(
        (row for row in headline.compared if best.get(row["strategy"]) == row["reserve"]),
        key=lambda row: (places[row["strategy"]], order.index(row["comparison"])),
    )


def _names(row: dict[str, Any]) -> list[Cell]:
    return [
        Cell(row["strategy"], is_number=False),
        Cell(level(row["reserve"]), row["reserve"]),
        Cell(NAMES[row["comparison"]], is_number=False),
    ]


def _pair(row: dict[str, Any], measure: str) -> list[Cell]:
    values = (row[measure], row[f"comparison_{measure}"])
    return [Cell(decimal(value, 3) if measure == "sharpe" else percent(value), value) for value in values]


def _difference(row: dict[str, Any], measure: str, factor: int, digits: int) -> list[Cell]:
    """Return the difference of a measure, and its interval where the bootstrap gives one."""
    point, *ends = (
        NOTHING if row[name] is None else decimal(row[name] * factor, digits)
        for name in (f"{measure}_difference{end}" for end in ("", "_low", "_high"))
    )
    interval = NOTHING if NOTHING in ends else " to ".join(ends)
    return [Cell(point, row[f"{measure}_difference"]), Cell(interval, is_number=False)]
