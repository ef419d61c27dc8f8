"""The table that sets scenarios of the rule beside the same cash without it."""

from typing import Any

from pipelines.report.numbers import NOTHING, decimal, level, percent
from pipelines.report.page import Cell, table
from pipelines.report.verdicts import Headline, demerit

NAMES = {
    "rebalanced": "rebalanced yearly",
    "buy_and_hold": "bought and held",
    "cash_path": "its cash of the month before",
}


def equal_cash_table(headline: Headline) -> str:
    """Return the best scenario of each strategy of the rule beside the same cash; empty where the study has none."""
    rows = _rows(headline)
    if not rows:
        return ""
    # The verdict comes before what it rests on, so that a narrow page cuts off details and not the answer.
    header: tuple[str, ...] = (
        *("strategy", "reserve", "the same cash", "verdict", "cash", "its cash", "CAGR", "its CAGR"),
        *("points apart (95 %)", "Sharpe", "its Sharpe", "apart (95 %)", "drawdown", "its drawdown"),
    )
    if any(row["withdrawals"] for row in rows):
        header += (f"withdrawn, {headline.study['currency']}", "its withdrawals")
    cells = [_cells(row, len(header)) for row in rows]
    return table(header, cells, name="The rule beside the same cash")


def _rows(headline: Headline) -> list[dict[str, Any]]:
    """Return the comparisons of the best scenario of each strategy, in the study's order."""
    best: dict[str, float] = {}
    for row in sorted(headline.rows, key=demerit):
        if row["is_current"]:
            best.setdefault(row["strategy"], row["reserve"])
    return [row for row in headline.compared if best.get(row["strategy"]) == row["reserve"]]


def _cells(row: dict[str, Any], columns: int) -> list[Cell]:
    cells = [
        Cell(row["strategy"], is_number=False),
        Cell(level(row["reserve"]), row["reserve"]),
        Cell(NAMES[row["comparison"]], is_number=False),
        Cell(row["verdict"] or NOTHING, is_number=False),
        *_pair(row, "mean_cash_share"),
        *_pair(row, "cagr"),
        _difference(row, "cagr", 100, 2),
        *_pair(row, "sharpe"),
        _difference(row, "sharpe", 1, 3),
        *_pair(row, "max_drawdown"),
        *(Cell(decimal(row[name]), row[name]) for name in ("withdrawals", "comparison_withdrawals")),
    ]
    return cells[:columns]


def _pair(row: dict[str, Any], measure: str) -> list[Cell]:
    values = (row[measure], row[f"comparison_{measure}"])
    return [Cell(decimal(value, 3) if measure == "sharpe" else percent(value), value) for value in values]


def _difference(row: dict[str, Any], measure: str, factor: int, digits: int) -> Cell:
    """Return the difference of a measure with its interval, where the bootstrap gives one."""
    point, *ends = (
        NOTHING if row[name] is None else decimal(row[name] * factor, digits)
        for name in (f"{measure}_difference{end}" for end in ("", "_low", "_high"))
    )
    interval = "" if NOTHING in ends else f" ({ends[0]} to {ends[1]})"
    return Cell(point + interval, row[f"{measure}_difference"])
