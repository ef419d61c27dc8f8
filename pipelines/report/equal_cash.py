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
    header: tuple[str, ...] = (
        *("strategy", "reserve", "the same cash", "cash", "its cash", "per year (CAGR)", "its CAGR"),
        *("difference, points", "95 % interval", "Sharpe", "its Sharpe", "difference", "95 % interval"),
        *("worst drawdown", "its drawdown", "verdict"),
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
        *_pair(row, "mean_cash_share"),
        *_pair(row, "cagr"),
        Cell(decimal(_times(row["cagr_difference"], 100), 2), row["cagr_difference"]),
        Cell(_interval(row, "cagr", 100), is_number=False),
        *_pair(row, "sharpe"),
        Cell(decimal(row["sharpe_difference"], 3), row["sharpe_difference"]),
        Cell(_interval(row, "sharpe", 1), is_number=False),
        *_pair(row, "max_drawdown"),
        Cell(row["verdict"] or NOTHING, is_number=False),
        *(Cell(decimal(row[name]), row[name]) for name in ("withdrawals", "comparison_withdrawals")),
    ]
    return cells[:columns]


def _pair(row: dict[str, Any], measure: str) -> list[Cell]:
    values = (row[measure], row[f"comparison_{measure}"])
    return [Cell(decimal(value, 3) if measure == "sharpe" else percent(value), value) for value in values]


def _interval(row: dict[str, Any], measure: str, factor: int) -> str:
    ends = [row[f"{measure}_difference_{end}"] for end in ("low", "high")]
    digits = 3 if measure == "sharpe" else 2
    return NOTHING if None in ends else " to ".join(decimal(_times(end, factor), digits) for end in ends)


def _times(value: float | None, factor: int) -> float | None:
    return None if value is None else value * factor
