"""Small portfolios whose ledgers were worked out by hand.

Every expected number was computed step by step in 40-digit decimal arithmetic from the rule alone: a sale of
``r·H·s/(1+r)``, a purchase of ``r·H·s``, at the rungs ``A·(1+r)`` and ``A/(1+r)``. They stand here to six decimals.
"""

from dataclasses import dataclass

import pytest
from generators import Price, panel_of, rules_of

from sd_core.simulation.results import Kind
from sd_core.simulation.rules import Anchor, Path, Rules, Variant

# Half of the last printed digit; binary fractions need a little more.
PRINTED = 0.501e-6


@dataclass(frozen=True)
class Example:
    """Prices and rules of one asset, and what must come of them.

    ``trades`` holds session, kind, quantity (that wanted, where skipped) and price of every row after the first
    purchase.
    """

    prices: list[Price]
    rules: Rules
    trades: list[tuple[int, Kind, float, float]]
    holdings: float
    bank: float


EXAMPLES = {
    "a_doubling_in_eight_rungs_sells_at_each": Example(
        prices=[100 * 2 ** (rung / 8) for rung in range(9)],
        rules=rules_of(),
        trades=[
            (1, Kind.SELL, 41.497978, 109.050773),
            (2, Kind.SELL, 39.775896, 118.920712),
            (3, Kind.SELL, 38.125277, 129.683955),
            (4, Kind.SELL, 36.543155, 141.421356),
            (5, Kind.SELL, 35.026688, 154.221083),
            (6, Kind.SELL, 33.573151, 168.179283),
            (7, Kind.SELL, 32.179933, 183.400809),
            (8, Kind.SELL, 30.844531, 200.0),
        ],
        holdings=712.433390,
        bank=42_486.677999,
    ),
    "a_gap_over_two_rungs_sells_twice_at_the_open": Example(
        prices=[100.0, 120.0],
        rules=rules_of(),
        trades=[(1, Kind.SELL, 41.497978, 120.0), (1, Kind.SELL, 39.775896, 120.0)],
        holdings=918.726125,
        bank=9_752.864950,
    ),
    "two_buys_on_the_way_down_are_sold_on_the_way_up": Example(
        prices=[100.0, (100.0, 101.0, 80.0, 95.0), (95.0, 112.0, 94.0, 111.0)],
        rules=rules_of(reserve=0.1),
        trades=[
            (1, Kind.BUY, 40.728480, 91.700404),
            (1, Kind.BUY, 42.571601, 84.089642),
            (1, Kind.SELL, 40.804966, 91.700404),
            (2, Kind.SELL, 39.111642, 100.0),
            (2, Kind.SELL, 37.488588, 109.050773),
        ],
        holdings=865.894885,
        bank=14_426.506809,
    ),
    "equally_near_extremes_visit_the_low_first": Example(
        prices=[100.0, (100.0, 120.0, 80.0, 100.0)],
        rules=rules_of(reserve=0.1, path=Path.NEAREST),
        trades=[
            (1, Kind.BUY, 40.728480, 91.700404),
            (1, Kind.BUY, 42.571601, 84.089642),
            (1, Kind.SELL, 40.804966, 91.700404),
            (1, Kind.SELL, 39.111642, 100.0),
            (1, Kind.SELL, 37.488588, 109.050773),
            (1, Kind.SELL, 35.932887, 118.920712),
            (1, Kind.BUY, 37.558989, 109.050773),
            (1, Kind.BUY, 39.258679, 100.0),
        ],
        holdings=906.779666,
        bank=10_677.966617,
    ),
    "an_anchor_at_the_fill_price_counts_the_next_rung_from_there": Example(
        prices=[100.0, 110.0, 101.0, 95.0, 90.0],
        rules=rules_of(bracket=0.0905, anchor=Anchor.FILL, max_rungs=1),
        trades=[(1, Kind.SELL, 41.494727, 110.0), (3, Kind.BUY, 43.372364, 95.0)],
        holdings=1_001.877636,
        bank=444.045449,
    ),
    "a_buy_without_cash_is_skipped_once_however_far_the_price_falls": Example(
        prices=[100.0, 92.0, 85.0, 78.0, 71.0],
        rules=rules_of(capital=10_000.0, bracket=0.0905, profit_share=1.0),
        trades=[(2, Kind.SKIP_BUY, 9.05, 85.0)],
        holdings=100.0,
        bank=0.0,
    ),
}


@pytest.fixture(params=list(EXAMPLES.values()), ids=list(EXAMPLES))
def example(request):
    return request.param


def test_ledger_is_the_one_worked_by_hand(engine, example):
    ledger = engine(panel_of(example.prices), example.rules).ledger

    assert (ledger[0]["session"], ledger[0]["kind"]) == (0, Kind.INITIAL_BUY)
    trades = ledger[1:]
    assert [(row["session"], row["kind"]) for row in trades] == [trade[:2] for trade in example.trades]
    for row, (_, kind, quantity, price) in zip(trades, example.trades, strict=True):
        found = row["skipped_quantity"] if kind == Kind.SKIP_BUY else abs(row["quantity"])
        assert found == pytest.approx(quantity, rel=0, abs=PRINTED)
        assert row["price"] == pytest.approx(price, rel=0, abs=PRINTED)


def test_holdings_and_bank_end_as_worked_by_hand(engine, example):
    result = engine(panel_of(example.prices), example.rules)
    moved = result.ledger["quantity"][result.ledger["kind"] != Kind.SKIP_BUY]

    assert moved.sum() == pytest.approx(example.holdings, rel=0, abs=PRINTED)
    assert result.daily["bank"][-1] == pytest.approx(example.bank, rel=0, abs=PRINTED)


def test_sales_on_the_way_back_up_happen_on_the_leg_to_the_close(engine):
    example = EXAMPLES["two_buys_on_the_way_down_are_sold_on_the_way_up"]
    ledger = engine(panel_of(example.prices), example.rules).ledger

    # Leg 1 rises to 101, leg 2 falls to 80, leg 3 closes at 95; the next day falls to 94 and rises to 112.
    assert ledger["leg"].tolist() == [4, 2, 2, 3, 2, 2]


def test_quadrupling_without_buying_back_leaves_two_thirds_invested(engine):
    prices = [100 * 2 ** (rung / 8) for rung in range(17)]
    end = engine(panel_of(prices), rules_of(variant=Variant.ATH_ONLY)).daily[-1]

    assert end["invested"] == pytest.approx(203_024.534071, rel=0, abs=PRINTED)
    assert end["bank"] == pytest.approx(103_024.534071, rel=0, abs=PRINTED)


def test_sale_worth_exactly_its_fee_passes_and_the_next_rung_sells(engine):
    # 600 buy 4 shares at 100 after the fee of 200. At 200 a quarter of them, one share, is worth its fee; at 400 it
    # is worth 400, of which 200 remain.
    rules = rules_of(capital=600.0, bracket=1.0, profit_share=0.5, fee_fixed=200.0)
    result = engine(panel_of([100.0, 200.0, 400.0]), rules)

    assert result.ledger[["session", "quantity", "fee", "amount"]].tolist() == [
        (0, 4.0, 200.0, -600.0),
        (2, -1.0, 200.0, 200.0),
    ]
    assert result.daily["passed_rungs"].tolist() == [0, 1, 0]
