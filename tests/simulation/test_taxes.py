"""Tax lots against published examples, cases by hand, a plain reference, and the laws that they keep.

Publication 550 is that of the US tax authority, "Investment Income and Expenses", chapter 4, Wash Sales and Holding
Period. Its examples are given here with the days of one of its editions; amounts are in all, not per share.
"""

import datetime as dt
import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from plain_engine import taxes as plain_taxes
from support.generators import random_case

from sd_core.market.arrays import Dates
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import LEDGER, Rows
from sd_core.simulation.rules import LotOrder
from sd_core.simulation.taxes import lots as lots_module
from sd_core.simulation.taxes.lots import Matching, Terms, tax_lots
from sd_core.simulation.taxes.matching import TAX_LOT_NUMBERS

CASES = 1_000
CHUNK = 50
LEDGERS = 400
RARE = 50

PURCHASES = (Kind.INITIAL_BUY, Kind.BUY, Kind.REBALANCE_BUY, Kind.DEPLOY_BUY)
SALES = (Kind.SELL, Kind.FUNDING_SELL, Kind.REBALANCE_SELL, Kind.PROFIT_SELL)

Trade = tuple[str, float, float]


def ledger_of(*trades: Trade, kinds: tuple[Kind, ...] = (), assets: tuple[int, ...] = ()) -> tuple[Rows, Dates]:
    """Return the ledger of trades given as date, shares (negative: sold) and what they cost or raised in all."""
    days = np.array([day for day, *_ in trades], "datetime64[D]")
    sessions, positions = np.unique(days, return_inverse=True)
    rows = np.zeros(len(trades), dtype=LEDGER)
    rows["session"] = positions
    rows["kind"] = kinds or [Kind.REBALANCE_BUY if shares > 0 else Kind.REBALANCE_SELL for _, shares, _ in trades]
    rows["asset"] = assets or 0
    rows["quantity"] = [shares for _, shares, _ in trades]
    rows["amount"] = [-np.sign(shares) * money for _, shares, money in trades]
    return rows, sessions


def lots_of(
    *trades: Trade,
    lot_order: LotOrder = LotOrder.FIFO,
    kinds: tuple[Kind, ...] = (),
    assets: tuple[int, ...] = (),
) -> tuple[Rows, Rows]:
    """Return what trades sold, and what they left open."""
    ledger, sessions = ledger_of(*trades, kinds=kinds, assets=assets)
    lots = tax_lots(ledger, sessions, lot_order, max(assets, default=0) + 1)
    return lots[lots["sale"] > 0], lots[lots["sale"] == 0]


def values(lots: Rows, *names: str) -> list[tuple[float, ...]]:
    return [tuple(round(float(row[name]), 9) for name in names) for row in lots]


def held_since(lots: Rows) -> list[str]:
    return lots["held_since"].astype("datetime64[D]").astype(str).tolist()


# --- Publication 550 --------------------------------------------------------------------------------------------------


def test_loss_is_added_to_the_basis_of_shares_bought_within_30_days():
    sold, still_held = lots_of(("2023-01-10", 100, 1_000), ("2023-03-01", -100, 750), ("2023-03-20", 100, 800))
    assert values(sold, "basis", "proceeds", "gain", "wash_sale_disallowed") == [(1_000, 750, -250, 250)]
    assert values(still_held, "quantity", "cost", "basis") == [(100, 800, 1_050)]


def test_of_more_shares_sold_than_bought_only_as_many_are_a_wash_sale():
    sold, still_held = lots_of(
        ("2023-09-25", 100, 5_000),
        ("2023-12-16", 50, 2_750),
        ("2023-12-23", 25, 1_125),
        ("2024-01-03", -100, 4_000),
    )
    assert values(sold, "quantity", "gain", "wash_sale_disallowed") == [(100, -1_000, 750)]
    assert values(still_held, "quantity", "basis") == [(50, 3_250), (25, 1_375)]


def test_of_more_shares_bought_than_sold_the_first_bought_are_the_replacement():
    sold, still_held = lots_of(
        ("2023-09-24", 100, 3_000),
        ("2024-02-01", -100, 2_000),
        ("2024-02-12", 50, 900),
        ("2024-02-13", 50, 900),
        ("2024-02-14", 50, 900),
        ("2024-02-15", 50, 900),
    )
    assert values(sold, "wash_sale_disallowed") == [(1_000,)]
    assert values(still_held, "basis") == [(1_400,), (1_400,), (900,), (900,)]


@pytest.mark.parametrize(("sale", "expected"), [("2024-02-07", False), ("2024-02-08", True)])
def test_shares_are_long_term_from_the_day_after_the_same_day_of_the_next_year(sale, expected):
    sold, _ = lots_of(("2023-02-07", 1, 100), (sale, -1, 120))
    assert sold["long_term"].tolist() == [expected]


def test_holding_period_of_replacement_shares_includes_that_of_the_shares_sold():
    # Held for 50 days, from 10 January to 1 March; the replacement counts from 50 days before 20 March.
    _, still_held = lots_of(("2023-01-10", 100, 1_000), ("2023-03-01", -100, 750), ("2023-03-20", 100, 800))
    assert held_since(still_held) == ["2023-01-29"]


# --- cases by hand ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purchase", "sale", "expected"),
    [
        ("2020-02-29", "2021-02-28", False),
        ("2020-02-29", "2021-03-01", True),
        ("2019-02-28", "2020-02-28", False),
        # Revenue Ruling 66-7: the year of what was bought on the last of February begins on 1 March.
        ("2019-02-28", "2020-02-29", False),
        ("2019-02-28", "2020-03-01", True),
        ("2019-02-27", "2020-02-28", True),
        ("2020-02-28", "2021-02-28", False),
        ("2020-02-28", "2021-03-01", True),
        ("2019-03-01", "2020-02-29", False),
        ("2019-12-31", "2020-12-31", False),
        ("2019-12-31", "2021-01-01", True),
    ],
)
def test_a_year_that_begins_or_ends_in_a_leap_year_ends_on_the_same_day(purchase, sale, expected):
    sold, _ = lots_of((purchase, 1, 100), (sale, -1, 120))
    assert sold["long_term"].tolist() == [expected]


@pytest.mark.parametrize(
    ("days", "disallowed"), [(-31, 0), (-30, 250), (-1, 250), (0, 250), (1, 250), (30, 250), (31, 0)]
)
def test_window_is_30_calendar_days_to_either_side(days, disallowed):
    sale, other = np.datetime64("2023-06-15"), np.datetime64("2023-06-15") + days
    trades = [("2023-01-10", 100, 1_000), (str(sale), -100, 750), (str(other), 100, 800)]
    sold, _ = lots_of(*(sorted(trades, key=lambda trade: trade[0]) if days < 0 else trades))
    assert values(sold, "wash_sale_disallowed") == [(disallowed,)]


def test_replacement_sold_at_a_loss_again_passes_both_losses_on():
    # 1000 -> 750 loses 250; 800 + 250 -> 900 loses 150 more; 850 + 150 is sold for 1200, long after: gain 200.
    sold, still_held = lots_of(
        ("2023-01-10", 100, 1_000),
        ("2023-03-01", -100, 750),
        ("2023-03-20", 100, 800),
        ("2023-04-03", -100, 900),
        ("2023-04-20", 100, 850),
        ("2024-06-03", -100, 1_200),
    )
    assert values(sold, "cost", "basis", "gain", "wash_sale_disallowed") == [
        (1_000, 1_000, -250, 250),
        (800, 1_050, -150, 150),
        (850, 1_000, 200, 0),
    ]
    # 50 days of the first, 14 of the second: 64 days before 20 April.
    assert held_since(sold) == ["2023-01-10", "2023-01-29", "2023-02-15"]
    assert len(still_held) == 0


def test_fewer_shares_bought_than_sold_leave_the_rest_of_the_loss_deductible():
    sold, still_held = lots_of(("2023-01-10", 100, 1_000), ("2023-03-01", -100, 600), ("2023-03-20", 30, 210))
    assert values(sold, "gain", "wash_sale_disallowed") == [(-400, 120)]
    assert values(still_held, "cost", "basis") == [(210, 330)]


def test_lot_that_replaces_in_part_is_split_and_its_replacement_part_is_sold_first():
    # 40 of 100 shares replace, at 8 + 2.5 per share, and count from 50 days earlier than the other 60.
    sold, still_held = lots_of(
        ("2023-01-10", 40, 400),
        ("2023-03-01", -40, 300),
        ("2023-03-20", 100, 800),
        ("2023-06-01", -70, 700),
    )
    assert values(sold[1:], "purchase", "quantity", "basis", "gain") == [(3, 40, 420, -20), (3, 30, 240, 60)]
    assert held_since(sold[1:]) == ["2023-01-29", "2023-03-20"]
    assert values(still_held, "quantity", "basis") == [(30, 240)]


def test_bought_share_replaces_only_once_the_first_sold():
    sold, still_held = lots_of(
        ("2023-01-10", 100, 1_000),
        ("2023-03-01", -50, 450),
        ("2023-03-02", -50, 400),
        ("2023-03-20", 70, 560),
    )
    # The loss of 50 is replaced whole, that of 100 to two fifths.
    assert values(sold, "gain", "wash_sale_disallowed") == [(-50, 50), (-100, 40)]
    assert values(still_held, "quantity", "basis") == [(50, 450), (20, 200)]


def test_shares_left_of_the_purchase_that_was_sold_are_no_replacement():
    # Revenue Ruling 56-602: a sale of part of a lot within 30 days of its purchase is no wash sale.
    sold, still_held = lots_of(("2023-03-01", 100, 1_000), ("2023-03-10", -40, 300))
    assert values(sold, "gain", "wash_sale_disallowed") == [(-100, 0)]
    assert values(still_held, "basis") == [(600,)]


def test_purchases_sold_in_the_same_sale_are_no_replacement_for_each_other():
    sold, _ = lots_of(("2023-03-01", 100, 1_000), ("2023-03-05", 100, 900), ("2023-03-10", -200, 1_500))
    assert values(sold, "proceeds", "gain", "wash_sale_disallowed") == [(750, -250, 0), (750, -150, 0)]


def test_shares_left_of_one_purchase_replace_those_of_another_in_the_same_sale():
    # First in, first out: 100 at 10 and 50 at 7 are sold at 7; the other 50 at 7 replace half of the loss of 300.
    sold, still_held = lots_of(("2023-01-10", 100, 1_000), ("2023-03-01", 100, 700), ("2023-03-05", -150, 1_050))
    assert values(sold, "quantity", "gain", "wash_sale_disallowed") == [(100, -300, 150), (50, 0, 0)]
    assert values(still_held, "quantity", "basis") == [(50, 500)]


def test_shares_left_of_one_purchase_replace_those_of_another_in_a_later_sale():
    # Last in, first out: 40 of 100 at 7 are sold at a gain; of the other 60, 30 replace those bought at 10, sold at 8.
    sold, still_held = lots_of(
        ("2023-03-01", 100, 700),
        ("2023-03-05", -40, 300),
        ("2023-03-08", 30, 300),
        ("2023-03-10", -30, 240),
        lot_order=LotOrder.LIFO,
    )
    assert values(sold, "purchase", "gain", "wash_sale_disallowed") == [(1, 20, 0), (3, -60, 60)]
    assert values(still_held, "quantity", "basis") == [(30, 270), (30, 210)]


def test_purchase_of_the_days_before_that_was_sold_meanwhile_is_no_replacement():
    sold, _ = lots_of(
        ("2023-01-10", 100, 1_000),
        ("2023-03-01", 100, 700),
        ("2023-03-05", -100, 750),
        ("2023-03-10", -100, 800),
        lot_order=LotOrder.LIFO,
    )
    assert values(sold, "purchase", "gain", "wash_sale_disallowed") == [(2, 50, 0), (1, -200, 0)]


def test_gain_and_sale_at_cost_are_no_wash_sales():
    sold, still_held = lots_of(
        ("2023-01-10", 3, 0.3), ("2023-03-01", -1, 0.1), ("2023-03-02", -2, 1), ("2023-03-03", 3, 1)
    )
    assert values(sold, "wash_sale_disallowed") == [(0,), (0,)]
    assert held_since(still_held) == ["2023-03-03"]


def test_other_asset_is_no_replacement():
    trades = [("2023-01-10", 100.0, 1_000.0), ("2023-03-01", -100.0, 750.0), ("2023-03-20", 100.0, 800.0)]
    sold, _ = lots_of(*trades, assets=(0, 0, 1))
    assert values(sold, "wash_sale_disallowed") == [(0,)]


@pytest.mark.parametrize(
    ("lot_order", "expected"),
    [(LotOrder.LIFO, [(5, 10), (2, 10), (3, 10), (1, 5)]), (LotOrder.FIFO, [(2, 10), (5, 10), (1, 10), (3, 5)])],
)
@pytest.mark.parametrize("sale", SALES)
def test_sale_of_any_kind_takes_buyback_lots_first_and_the_core_in_the_same_order(lot_order, expected, sale):
    bought = [(f"2023-01-{day:02}", 10.0, 100.0) for day in (2, 3, 4)]
    sold, still_held = lots_of(
        *bought,
        ("2023-01-05", -1, 20),
        ("2023-01-06", 10, 100),
        ("2023-01-09", -34, 680),
        lot_order=lot_order,
        kinds=(Kind.INITIAL_BUY, Kind.BUY, Kind.DEPLOY_BUY, sale, Kind.BUY, sale),
    )
    # One share of the first buyback lot is sold before.
    shares = [(purchase, quantity - (purchase == 2)) for purchase, quantity in expected]
    assert values(sold, "purchase", "quantity") == [(2, 1), *shares]
    assert values(still_held, "quantity") == [(5,)]


def test_fees_are_part_of_the_basis_and_taken_off_the_proceeds():
    sold, _ = lots_of(("2023-01-10", 10, 1_001), ("2023-02-10", -10, 1_099))
    assert values(sold, "basis", "proceeds", "gain") == [(1_001, 1_099, 98)]


@pytest.mark.parametrize("rounding", [-5e-10, 5e-10])
def test_what_misses_a_lot_by_rounding_sells_it_whole_with_all_of_the_proceeds(rounding):
    sold, still_held = lots_of(("2023-01-10", 10, 100), ("2023-02-10", -10 * (1 + rounding), 120))
    assert values(sold, "quantity", "proceeds", "gain") == [(10, 120, 20)]
    assert len(still_held) == 0


def test_scenario_that_bought_nothing_has_no_tax_lots():
    rows = np.zeros(1, dtype=LEDGER)
    rows["quantity"] = np.nan
    assert len(tax_lots(rows, np.array(["2023-01-03"], "datetime64[D]"), LotOrder.LIFO, 1)) == 0


def test_losses_handed_on_in_ever_more_parts_find_room():
    # Every round cuts the shares at another place, sells all of them at a loss and buys them back.
    rounds = 100
    trades: list[Trade] = [("2023-01-01", 100, 10_000)]
    for number in range(1, rounds + 1):
        day, price = str(np.datetime64("2023-01-01") + number), 100 - number / 2
        trades += [(day, -number / 2, number / 2 * price), (day, number / 2 - 100, (100 - number / 2) * price)]
        trades += [(day, 100, 100 * price)]
    sold, still_held = lots_of(*trades)
    assert len(sold) > 5_000
    assert len(still_held) > 90
    assert still_held["basis"].sum() == pytest.approx(10_000)  # nothing was ever deducted
    assert sold["wash_sale_disallowed"].sum() == pytest.approx(-sold["gain"].sum())


# --- random ledgers ---------------------------------------------------------------------------------------------------


def random_ledger(seed: int) -> tuple[Rows, Dates, LotOrder, int]:
    """Return trades of all kinds in one to three assets, mostly at falling prices, and often in equal quantities."""
    rng = np.random.default_rng(seed)
    assets, length = int(rng.integers(1, 4)), int(rng.integers(5, 80))
    held = np.zeros(assets)
    price = rng.uniform(10, 100, size=assets)
    day = np.datetime64("2019-01-01") + rng.integers(800)
    trades: list[Trade] = []
    kinds, traded = [], []
    for _ in range(length):
        day += rng.integers(0, rng.choice([3, 20, 90]))
        asset = int(rng.integers(assets))
        price[asset] *= np.exp(rng.choice([0.0, rng.normal(-0.02, 0.1)]))
        shares = float(rng.choice([1, 10, rng.uniform(0.1, 30)]))
        sells = held[asset] > 0 and rng.random() < 0.6
        if sells:
            shares = float(rng.choice([min(shares, held[asset]), held[asset]], p=[0.8, 0.2]))
        held[asset] = held[asset] - shares if sells else held[asset] + shares
        trades.append((str(day), -shares if sells else shares, shares * price[asset]))
        kinds.append(Kind(rng.choice(SALES if sells else PURCHASES)))
        traded.append(asset)
    ledger, sessions = ledger_of(*trades, kinds=tuple(kinds), assets=tuple(traded))
    return ledger, sessions, LotOrder(rng.integers(2)), assets


def simulated(seed: int) -> tuple[Rows, Dates, LotOrder, int]:
    case = random_case(seed)
    [result] = simulate(case.panel, [case.rules])
    return result.ledger, case.panel.sessions, case.rules.lot_order, len(case.panel.tickers)


def drawn(first: int) -> Iterator[tuple[Rows, Dates, LotOrder, int]]:
    """Yield a chunk of ledgers: simulated ones first, then drawn trade by trade."""
    for seed in range(first, first + CHUNK):
        yield simulated(seed) if seed < CASES else random_ledger(seed)


by_chunk = pytest.mark.parametrize("first", range(0, CASES + LEDGERS, CHUNK))


def plain_rows(books: plain_taxes.TaxReturn, last: dt.date) -> list[tuple]:
    """Return a row per part as the compiled ones are: what was sold, then what is open."""
    nan = math.nan
    parts = [(row.sale, row.held, row.is_long, row.proceeds, row.gain, row.disallowed) for row in books.sold]
    parts += [(0, part, plain_taxes.is_long(part.counts_from, last), nan, nan, nan) for part in books.held]
    return [
        (
            *(sale, part.purchase, part.asset, part.bought, part.counts_from, is_long),
            *(part.shares, part.shares * part.cost, part.shares * part.basis, *money),
        )
        for sale, part, is_long, *money in parts
    ]


@by_chunk
def test_compiled_tax_lots_are_those_of_the_plain_ones(first):
    for ledger, sessions, lot_order, assets in drawn(first):
        lots = tax_lots(ledger, sessions, lot_order, assets)
        expected = plain_rows(plain_taxes.tax_return(ledger, sessions, lot_order), sessions[-1].item())
        found = [
            [lots[name].tolist() for name in ("sale", "purchase", "asset")],
            [sessions[lots["acquired"]].tolist(), lots["held_since"].astype("datetime64[D]").tolist()],
            [lots["long_term"].tolist()],
        ]
        assert [row[:6] for row in expected] == list(zip(*itertools.chain(*found), strict=True))
        numbers = np.array([row[6:] for row in expected], dtype=float).reshape(-1, 6)
        for name, column in zip(TAX_LOT_NUMBERS, numbers.T, strict=True):
            # A gain is what is left of two larger numbers.
            tolerance = 1e-9 * np.maximum(1.0, lots["basis"])
            assert np.all(np.isclose(lots[name], column, rtol=1e-9, atol=tolerance, equal_nan=True)), name


@by_chunk
def test_parts_add_up_and_wash_sales_only_move_gains(first):
    for ledger, sessions, lot_order, assets in drawn(first):
        lots = tax_lots(ledger, sessions, lot_order, assets)
        sold = lots[lots["sale"] > 0]
        sums = np.zeros((len(ledger) + 1, 4))
        np.add.at(sums[:, 0], lots["purchase"], lots["quantity"])
        np.add.at(sums[:, 1], lots["purchase"], -lots["cost"])
        np.add.at(sums[:, 2], sold["sale"], -sold["quantity"])
        np.add.at(sums[:, 3], sold["sale"], sold["proceeds"])
        # Each trade is a purchase or a sale, so that one of the two is 0.
        traded = ~np.isnan(ledger["quantity"])
        tolerance = 1e-9 * max(1.0, np.abs(ledger["amount"]).sum())
        np.testing.assert_allclose(sums[1:, [0, 2]].sum(axis=1)[traded], ledger["quantity"][traded], rtol=1e-9)
        np.testing.assert_allclose(sums[1:, [1, 3]].sum(axis=1)[traded], ledger["amount"][traded], atol=tolerance)
        assert np.all(lots["quantity"] > 0)
        assert np.all(sold["wash_sale_disallowed"] >= 0)
        assert np.all(sold["wash_sale_disallowed"] <= np.maximum(-sold["gain"], 0) * (1 + 1e-9))
        # What was disallowed is in the basis of other shares, so gains and what is left to gain are those of cash.
        assert lots["basis"].sum() - lots["cost"].sum() == pytest.approx(
            sold["wash_sale_disallowed"].sum(), abs=tolerance
        )
        taxable = (sold["gain"] + sold["wash_sale_disallowed"]).sum()
        open_basis = lots["basis"][lots["sale"] == 0].sum()
        assert taxable - open_basis == pytest.approx(ledger["amount"][traded].sum(), abs=tolerance)


@pytest.mark.parametrize("first", [0, CASES])
def test_ledger_that_grows_is_matched_as_at_once_and_each_row_read_once(first, monkeypatch):
    read = []
    columns = lots_module._columns
    monkeypatch.setattr(lots_module, "_columns", lambda rows, before: read.append(len(rows)) or columns(rows, before))
    monkeypatch.setattr(lots_module, "FEWEST_TRADES", 3)  # so that room runs out
    for ledger, sessions, lot_order, assets in drawn(first):
        ends = np.linspace(0, len(ledger), 6).astype(int)[1:]
        whole = [tax_lots(ledger[:end], sessions, lot_order, assets) for end in ends]
        read.clear()
        matching = Matching(Terms.of(sessions), lot_order, assets)
        for end, lots in zip(ends, whole, strict=True):
            assert matching.sold(ledger[:end]).tobytes() == lots[lots["sale"] > 0].tobytes()
        assert sum(read) == len(ledger)


def test_random_ledgers_hold_every_case():
    seen: Counter[str] = Counter()
    for first in (0, CASES):
        for ledger, sessions, lot_order, assets in drawn(first):
            lots = tax_lots(ledger, sessions, lot_order, assets)
            sold = lots[lots["sale"] > 0]
            washed = sold["wash_sale_disallowed"] > 0
            in_part = washed & (sold["wash_sale_disallowed"] < -sold["gain"] * (1 - 1e-6))
            seen[lot_order.name] += 1
            seen["replaced in part"] += in_part.sum()
            seen["replaced again"] += (washed & (sold["basis"] > sold["cost"] * (1 + 1e-9))).sum()
            seen["long-term"] += sold["long_term"].sum()
            acquired = sessions[sold["acquired"]].astype(np.int64)
            tacked = sold["long_term"] & (sessions[sold["sold"]].astype(np.int64) - acquired <= 365)
            seen["long-term by the shares replaced"] += tacked.sum()
            seen["in several parts"] += len(sold) - len(np.unique(sold["sale"]))
            seen["of another lot than the newest"] += (np.diff(sold["purchase"]) > 0).sum()
    rare = {case: times for case, times in seen.items() if times < (RARE if case not in ("LIFO", "FIFO") else 20)}
    assert not rare
