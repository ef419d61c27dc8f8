"""Trades of a trigger that wait for their price, worked out by hand."""

import dataclasses

import numpy as np
import pytest
from support.generators import panel_of, rules_of

from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Every, Rules, Variant

A = [100.0, 101.0, 102.0, 130.0, 140.0, 150.0, 145.0, 140.0]
FLAT = [100.0] * len(A)


def patient(sessions: int, mean: int = 3, **others: object) -> Rules:
    """Return the rules of ten shares, five of each asset, that return to their targets once they are 0.06 off."""
    chosen = {"assets": 2, "capital": 1_000.0, "variant": Variant.NO_RULE, "deviation": 0.06, **others}
    return dataclasses.replace(rules_of(**chosen), patience=sessions, patience_mean=mean)


def rebalanced(result: SimulationResult) -> list[tuple[int, int, float, float]]:
    """Return session, asset, quantity and price of each trade back to the targets, below 0 for a sale."""
    rows = result.ledger[np.isin(result.ledger["kind"], [Kind.REBALANCE_SELL, Kind.REBALANCE_BUY])]
    names = ("session", "asset", "quantity", "price")
    return [(int(row[0]), int(row[1]), float(row[2]), float(row[3])) for row in rows[[*names]].tolist()]


@pytest.mark.parametrize(
    ("sessions", "sale", "bought"),
    [
        # 5 * 130 is 75 above half of 1150.
        (0, (3, 0, -75 / 130, 130.0), 0.75),
        # 102 lies above the mean of 100, 101 and 102, and 130 above that of 101, 102 and 130: the deadline sells.
        (2, (5, 0, -125 / 150, 150.0), 1.25),
        # 150 lies above the mean of 130, 140 and 150, and 145 at that of 140, 150 and 145: it sells a session later.
        (5, (7, 0, -100 / 140, 140.0), 1.0),
    ],
)
def test_sale_waits_until_a_close_is_back_at_its_mean_or_for_its_deadline(engine, sessions, sale, bought):
    found = rebalanced(engine(panel_of(A, FLAT), patient(sessions)))

    assert found[0] == pytest.approx(sale, rel=0, abs=1e-12)
    # B has never left its mean, but the bank was empty until then.
    assert found[1] == pytest.approx((sale[0], 1, bought, 100.0), rel=0, abs=1e-12)
    assert len(found) == 2


def test_purchase_waits_while_the_price_falls(engine):
    falling = [100.0, 98.0, 80.0, 70.0, 60.0, 70.0, 70.0]
    rules = patient(100, mean=2, weights=[0.0, 1.0], reserve=0.5)
    found = rebalanced(engine(panel_of([100.0] * 7, falling), rules))
    # 98 lies below the mean of 100 and 98, and so on; the second 70 is the first above its own, that of 60 and 70.
    # 5 shares are 350 and 500 are in the bank: half of 850 is 425.
    assert found == [(6, 1, pytest.approx(75 / 70), 70.0)]


def test_wait_ends_where_the_side_changes(engine):
    # A rises and waits to be sold, but at its deadline it is worth 350 of 850. 140 lies above the mean of 102, 130 and
    # 140, so that it is bought.
    prices = [100.0, 101.0, 102.0, 130.0, 140.0, 70.0]
    found = rebalanced(engine(panel_of(prices, FLAT[:6]), patient(2)))
    assert found == [(5, 1, -0.75, 100.0), (5, 0, pytest.approx(75 / 70), 70.0)]


def test_later_triggers_move_no_deadline(engine):
    # Every close from the fourth on is 0.06 off; the deadline stays two sessions after the first.
    found = rebalanced(engine(panel_of([*A[:6], 160.0, 170.0], FLAT), patient(2)))
    assert found[0][0] == 5


def test_asset_without_a_bar_at_its_deadline_trades_at_its_next_bar(engine):
    missing = [*A[:5], (np.nan,) * 4, (np.nan,) * 4, 160.0]
    found = rebalanced(engine(panel_of(missing, FLAT), patient(2)))
    assert found[0][:2] == (7, 0)


def test_calendar_does_not_trade_before_its_sales_have_waited(engine):
    days = np.datetime64("2020-01-28") + np.arange(len(A))
    # February begins with the fifth session; 140, 150 and 145 have the mean 145, so the eighth sells.
    rules = patient(5, deviation=np.inf, rebalance_every=Every.MONTH)
    found = rebalanced(engine(panel_of(A, FLAT, sessions=days), rules))
    assert found[0] == pytest.approx((7, 0, -100 / 140, 140.0))


def test_purchase_that_the_bank_cuts_waits_for_the_rest(engine):
    # B pays 0.1 a share on three sessions, which buys a little of it, and the sale of A buys the rest.
    dividends = np.zeros((len(A), 2))
    dividends[3:6, 1] = 0.1
    found = rebalanced(engine(panel_of(A, FLAT, dividends=dividends), patient(2)))
    sold, bought = [[trade for trade in found if trade[1] == asset] for asset in (0, 1)]
    assert [session for session, *_ in sold] == [5]
    assert [session for session, *_ in bought] == [3, 4, 5]
    assert [quantity for _, _, quantity, _ in bought[:2]] == pytest.approx([0.1 * 5 / 100, 0.1 * 5.005 / 100])
    # At the end both are worth half, the last dividend included.
    assert (5 + sold[0][2]) * 150 == pytest.approx((5 + sum(trade[2] for trade in bought)) * 100)


def test_nothing_that_comes_later_is_known(engine):
    rng = np.random.default_rng(3)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, (2, 120)), axis=1))
    noise = prices * np.where(np.arange(120) < 60, 1.0, np.exp(rng.normal(0, 0.1, (2, 120))))
    rules = patient(6, mean=5, deviation=0.02)
    results = [engine(panel_of(*closes.tolist()), rules) for closes in (prices, noise)]
    first, second = (result.ledger[result.ledger["session"] < 60] for result in results)
    assert first.tobytes() == second.tobytes()
    assert np.isin(first["kind"], [Kind.REBALANCE_SELL, Kind.REBALANCE_BUY]).sum() > 5
