"""The worked example of ``docs/example.md``, whose numbers were computed by hand, is what both engines do."""

import pytest
from support.generators import panel_of, rules_of
from support.lab import PROJECT

from sd_core.schemas.kinds import Kind

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (PROJECT / "docs/example.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and line[2].isdigit()
]


def number(cell: str) -> float:
    return float(cell.replace(" ", ""))


def test_table_of_the_page_is_what_the_engine_does(engine):
    prices, trades, holdings, bank, value, holding = (
        [number(row[place]) for row in ROWS] for place in (1, 3, 4, 5, 6, 7)
    )
    result = engine(panel_of(prices), rules_of(capital=10_000.0, bracket=0.25, profit_share=0.5))
    assert len(ROWS) == len(result.daily) == 8
    assert result.daily["bank"] == pytest.approx(bank, rel=1e-12)
    assert result.daily["value"] == pytest.approx(value, rel=1e-12)
    assert [100 * price for price in prices] == pytest.approx(holding, rel=1e-12)

    filled = result.ledger[result.ledger["kind"] != Kind.SKIP_BUY]
    by_session = [filled["quantity"][filled["session"] == session].sum() for session in range(8)]
    assert by_session == pytest.approx(trades, rel=1e-12)
    assert [sum(by_session[: session + 1]) for session in range(8)] == pytest.approx(holdings, rel=1e-12)


def test_refusal_of_the_page_is_the_only_one(engine):
    prices = [number(row[1]) for row in ROWS]
    ledger = engine(panel_of(prices), rules_of(capital=10_000.0, bracket=0.25, profit_share=0.5)).ledger
    [refused] = ledger[ledger["kind"] == Kind.SKIP_BUY]
    assert (refused["session"], refused["skipped_quantity"], refused["price"]) == (3, 12.65625, 80.0)
    assert "12.65625 for 1 012.50" in ROWS[3][2]
