"""Small portfolios whose ledgers were worked out by hand.

Every expected number comes step by step from the rule alone: a sale of ``r·H·s/(1+r)``, a purchase of ``r·H·s``, at the
rungs ``A·(1+r)`` and ``A/(1+r)``. Those of six decimals were computed in 40-digit decimal arithmetic and are rounded;
the others are exact, and their arithmetic is beside them.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from support.generators import Price, panel_of, rules_of

from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import Anchor, LotOrder, Path, Rules, Variant

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


# In what follows rungs lie at 64, 80, 100, 125: r = 0.25, and with s = 0.8 a purchase is a fifth (r·s) of the holdings,
# a sale 16 % (r·s/(1+r)). Ten shares are bought at 100.
FIFTHS = {"bracket": 0.25, "profit_share": 0.8}


def assert_trades(ledger, expected):
    """Compare what follows the first purchase: session, kind, signed quantity (that wanted, where skipped), price."""
    trades = ledger[1:]
    assert list(zip(trades["session"], trades["kind"], strict=True)) == [trade[:2] for trade in expected]
    quantities = np.where(trades["kind"] == Kind.SKIP_BUY, trades["skipped_quantity"], trades["quantity"])
    np.testing.assert_allclose(quantities, [trade[2] for trade in expected], rtol=1e-12)
    np.testing.assert_allclose(trades["price"], [trade[3] for trade in expected], rtol=1e-12)


def test_ath_sell_keeps_what_it_bought_until_the_highest_close_is_back(engine):
    # The rung at 80 lies below the close of 100 and is passed; the one at 100 equals it and sells.
    rules = rules_of(**FIFTHS, variant=Variant.ATH_SELL, capital=2_000.0, reserve=0.5)
    result = engine(panel_of([100.0, 80.0, 64.0, 80.0, 100.0, 125.0]), rules)

    assert_trades(
        result.ledger,
        [
            (1, Kind.BUY, 2.0, 80.0),  # 10 / 5; holds 12, bank 1 000 - 160 = 840
            (2, Kind.BUY, 2.4, 64.0),  # 12 / 5; holds 14.4, bank 840 - 153.6 = 686.4
            (4, Kind.SELL, -2.304, 100.0),  # 16 % of 14.4; holds 12.096, bank 686.4 + 230.4 = 916.8
            (5, Kind.SELL, -1.93536, 125.0),  # 16 % of 12.096; holds 10.16064, bank 916.8 + 241.92 = 1 158.72
        ],
    )
    assert result.daily["passed_rungs"].tolist() == [0, 0, 0, 1, 0, 0]
    assert result.daily["bank"][-1] == pytest.approx(1_158.72, rel=1e-12)
    # From the newest lot 2.304 · (100 - 64); then what is left of it, 0.096 · (125 - 64), and 1.83936 · (125 - 80).
    assert result.ledger["buyback_gain"][-2:] == pytest.approx([82.944, 88.6272], rel=1e-12)


# The bank is spent on the way, and the next rung down refused: with a reserve, after one purchase of 2 for 160.
SPENT = {"capital": 1_000.0}
SPENT_AT_80 = {"capital": 1_160.0, "reserve": 160 / 1_160}


@pytest.mark.parametrize(
    ("prices", "rules", "limit"),
    [
        # On a leg the price is the limit of 80, so both anchors would lie there and the next sale a quarter higher.
        ([100.0, (90.0, 95.0, 75.0, 90.0)], rules_of(**FIFTHS, **SPENT), 100.0),
        ([100.0, (90.0, 95.0, 75.0, 90.0)], rules_of(**FIFTHS, **SPENT, anchor=Anchor.FILL), 100.0),
        # An open at 70 lies below the limit of 80: the ladder counts from 80, a fill from 70.
        ([100.0, 70.0], rules_of(**FIFTHS, **SPENT), 100.0),
        ([100.0, 70.0], rules_of(**FIFTHS, **SPENT, anchor=Anchor.FILL), 87.5),
        # So does a close that is all of the path.
        ([100.0, (90.0, 95.0, 70.0, 70.0)], rules_of(**FIFTHS, **SPENT, path=Path.CLOSE_ONLY), 100.0),
        # After the purchase at 80 the one at 64 is refused; the rung at 80 lies below the highest close.
        ([100.0, 80.0, 64.0], rules_of(**FIFTHS, **SPENT_AT_80), 80.0),
        ([100.0, 80.0, 64.0], rules_of(**FIFTHS, **SPENT_AT_80, variant=Variant.ATH_SELL), 100.0),
        # From 60 rungs are at 75, 93.75 and 117.1875.
        (
            [100.0, 80.0, 60.0],
            rules_of(**FIFTHS, **SPENT_AT_80, variant=Variant.ATH_SELL, anchor=Anchor.FILL),
            117.1875,
        ),
    ],
    ids=["leg", "leg_fill", "gap", "gap_fill", "close_only", "full", "ath_sell", "ath_sell_gap_fill"],
)
def test_refusal_has_the_limit_of_the_sale_that_would_have_followed(engine, prices, rules, limit):
    ledger = engine(panel_of(prices), rules).ledger

    assert ledger["kind"][-1] == Kind.SKIP_BUY
    assert ledger["sale_limit"][-1] == pytest.approx(limit, rel=1e-12)
    assert np.isnan(ledger["sale_limit"][:-1]).all()


def test_limit_of_the_sale_after_a_refusal_goes_by_the_bracket_in_force(engine):
    # Ninety sessions without a gap set six rungs per doubling; the limit is 100 / 2^(1/6) = 89.09, the open lies at 80.
    rules = rules_of(**FIFTHS, **SPENT, adaptive_bracket=True, anchor=Anchor.FILL)
    ledger = engine(panel_of([*[100.0] * 130, 80.0]), rules).ledger

    assert ledger["kind"].tolist() == [Kind.INITIAL_BUY, Kind.SKIP_BUY]
    assert ledger["sale_limit"][1] == pytest.approx(80 * 2 ** (1 / 6), rel=1e-12)


def test_ath_sell_goes_by_the_rung_when_the_open_gaps_above_the_highest_close(engine):
    # The open at 125 has passed the rungs at 80, 100 and 125. Only the first lies below the highest close.
    rules = rules_of(**FIFTHS, variant=Variant.ATH_SELL, capital=2_000.0, reserve=0.5)
    result = engine(panel_of([100.0, 80.0, 64.0, 125.0]), rules)

    sales = [(3, Kind.SELL, -2.304, 125.0), (3, Kind.SELL, -1.93536, 125.0)]  # 16 % of 14.4, and of 12.096
    assert_trades(result.ledger, [(1, Kind.BUY, 2.0, 80.0), (2, Kind.BUY, 2.4, 64.0), *sales])
    assert result.daily["passed_rungs"].tolist() == [0, 0, 0, 1]


def test_ath_sell_counts_a_passed_rung_among_the_most_of_a_leg(engine):
    # The open at 125 could pass 80 and sell at 100 and 125; with two rungs a leg it passes one and sells one.
    rules = rules_of(**FIFTHS, variant=Variant.ATH_SELL, capital=2_000.0, reserve=0.5, max_rungs=2)
    result = engine(panel_of([100.0, 80.0, 64.0, 125.0]), rules)

    purchases = [(1, Kind.BUY, 2.0, 80.0), (2, Kind.BUY, 2.4, 64.0)]
    assert_trades(result.ledger, [*purchases, (3, Kind.SELL, -2.304, 125.0)])
    assert result.daily["passed_rungs"].tolist() == [0, 0, 0, 1]


def test_oldest_lots_first_count_the_gain_against_the_older_purchase(engine):
    rules = rules_of(**FIFTHS, lot_order=LotOrder.FIFO, capital=2_000.0, reserve=0.5)
    result = engine(panel_of([100.0, 80.0, 64.0, 80.0, 100.0, 125.0]), rules)

    assert_trades(
        result.ledger,
        [
            (1, Kind.BUY, 2.0, 80.0),  # 10 / 5, lot 1
            (2, Kind.BUY, 2.4, 64.0),  # 12 / 5, lot 2
            (3, Kind.SELL, -2.304, 80.0),  # 16 % of 14.4: all of lot 1 and 0.304 of lot 2
            (4, Kind.SELL, -1.93536, 100.0),  # 16 % of 12.096: of lot 2, which keeps 2.4 - 0.304 - 1.93536 = 0.16064
            (5, Kind.SELL, -1.6257024, 125.0),  # 16 % of 10.16064: the rest of lot 2, then the core
        ],
    )
    parts = [
        (1, 3, 2.0, 80.0, 80.0),
        (2, 3, 0.304, 64.0, 80.0),
        (2, 4, 1.93536, 64.0, 100.0),
        (2, 5, 0.16064, 64.0, 125.0),
    ]
    found = result.lots[["lot", "closed", "quantity", "price", "sale_price"]].tolist()
    np.testing.assert_allclose(found, parts, rtol=1e-12)
    # 2 · (80 - 80) + 0.304 · (80 - 64), then 1.93536 · (100 - 64), then 0.16064 · (125 - 64).
    assert result.ledger["buyback_gain"][-3:] == pytest.approx([4.864, 69.67296, 9.79904], rel=1e-12)


def test_credit_buys_the_first_dip_is_used_up_at_the_second_and_costs_its_own_rate(engine):
    # Credit costs 0.073 / 365 = 0.02 % a day; money in the bank earns half of that.
    sessions = np.array(["2021-03-01", "2021-03-02", "2021-03-07", "2021-03-08", "2021-03-09"], dtype="datetime64[D]")
    dividends = np.array([[0.0], [0.0], [0.0], [15.0], [0.0]])
    panel = panel_of([100.0, 80.0, 64.0, 100.0, 100.0], sessions=sessions, dividends=dividends, rates=0.0365)
    rules = rules_of(**FIFTHS, capital=1_000.0, margin_limit=0.35, margin_rate=0.073)
    result = engine(panel, rules)

    expected = [
        (0, Kind.INITIAL_BUY, -1_000.0, 0.0),  # all there is, and no more: the first purchase takes no credit
        (1, Kind.BUY, -160.0, -160.0),  # 2 at 80, within 0.35 · 1 000; value 12 · 80 - 160 = 800
        (2, Kind.INTEREST, -0.16, -160.16),  # five days on 160
        (2, Kind.SKIP_BUY, 0.0, -160.16),  # 2.4 at 64 are 153.6; 0.35 · 800 - 160.16 = 119.84 are left
        (3, Kind.DIVIDEND, 180.0, 19.84),  # 15 on each of 12
        (3, Kind.INTEREST, -0.032032, 19.807968),  # one day on 160.16: the dividend came after the night
        (3, Kind.SELL, 192.0, 211.807968),  # 16 % of 12 at 100
        (4, Kind.INTEREST, 0.0211807968, 211.8291487968),  # one day on 211.807968 at the other rate
    ]
    ledger = result.ledger
    assert ledger[["session", "kind"]].tolist() == [row[:2] for row in expected]
    assert ledger["amount"] == pytest.approx([row[2] for row in expected], rel=1e-9)
    assert ledger["bank_after"] == pytest.approx([row[3] for row in expected], rel=1e-9, abs=1e-9)
    assert result.daily["value"][:3] == pytest.approx([1_000.0, 800.0, 12 * 64 - 160.16], rel=1e-12)


@pytest.mark.parametrize(("limit", "kind"), [(0.16, Kind.BUY), (0.1599, Kind.SKIP_BUY)], ids=["enough", "too_little"])
def test_credit_covers_a_purchase_of_just_its_limit(engine, limit, kind):
    # 2 shares at 80 cost 160, which is 16 % of the 1 000 that the portfolio was worth the evening before.
    rules = rules_of(**FIFTHS, capital=1_000.0, margin_limit=limit)
    result = engine(panel_of([100.0, 80.0]), rules)

    assert_trades(result.ledger, [(1, kind, 2.0, 80.0)])
