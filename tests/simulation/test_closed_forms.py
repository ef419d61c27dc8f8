"""What the rule must come to whatever the numbers: closed forms, and laws that relate one simulation to another.

Each formula is derived beside its test. Rows of arbitrary panels belong in ``test_engines_agree``.
"""

import dataclasses
import math
from enum import Enum

import numpy as np
import pytest
from support.generators import HUGE_LOT, SD8, of_the_rule_alone, panel_of, random_case, rules_of, targets_of

from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import LEDGER, Rows
from sd_core.simulation.rules import Anchor, Every, LotOrder, Order, Path, Shortfall, Sizing, Variant
from sd_core.simulation.targets import Targets

BRACKETS_AND_SHARES = [(SD8, 0.5), (SD8, 1.0), (0.03, 0.2), (0.25, 0.7), (1.0, 0.9)]

RULE_TRADES = [Kind.BUY, Kind.SELL, Kind.SKIP_BUY, Kind.SKIP_SELL]


def name_of(member: Enum) -> str:
    return member.name.lower()


def assert_same_rows(found: Rows, expected: Rows) -> None:
    assert found.dtype == expected.dtype
    assert expected.dtype.names is not None
    for column in expected.dtype.names:
        # NaN equals NaN here, as it does not between structured arrays as a whole.
        np.testing.assert_array_equal(found[column], expected[column], err_msg=column)


@pytest.mark.parametrize(("bracket", "share"), [pair for pair in BRACKETS_AND_SHARES if pair[1] < 1])
@pytest.mark.parametrize("rungs", [1, 7, 40])
def test_ath_only_after_n_rungs_matches_the_geometric_series(engine, bracket, share, rungs):
    # A rung multiplies the price by 1 + r and the holdings by 1 - r·s/(1 + r), so what is invested by x = 1 + r(1 - s);
    # it raises r·s of what was invested before, and r·s·(1 + x + x² + …) = s/(1 - s)·(xⁿ - 1).
    prices = 100 * (1 + bracket) ** np.arange(rungs + 1)
    rules = rules_of(variant=Variant.ATH_ONLY, bracket=bracket, profit_share=share, capital=1_000.0)
    end = engine(panel_of(prices), rules).daily[-1]

    grown = (1 + bracket * (1 - share)) ** rungs
    assert end["invested"] == pytest.approx(1_000 * grown, rel=1e-12)
    assert end["bank"] == pytest.approx(1_000 * share / (1 - share) * (grown - 1), rel=1e-12)


@pytest.mark.parametrize(("bracket", "share"), BRACKETS_AND_SHARES)
def test_ath_only_sells_nothing_below_its_last_rung(engine, bracket, share):
    up = 100 * (1 + bracket) ** np.arange(4)
    there_and_back = [*up, *up[::-1], *up]
    rules = rules_of(variant=Variant.ATH_ONLY, bracket=bracket, profit_share=share)
    ledger = engine(panel_of(there_and_back), rules).ledger

    assert ledger["session"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("bracket", "share"), BRACKETS_AND_SHARES)
@pytest.mark.parametrize("sizing", list(Sizing), ids=name_of)
def test_round_trip_down_and_up_earns_the_formula(engine, sizing, bracket, share):
    # Buying r·H·s at A/(1 + r) and selling at A: with gain_share the sale is r·s/(1 + r) of H·(1 + r·s), which leaves
    # H·(1 + s(1 - s)r²/(1 + r)); with symmetric it is what was bought. Either way the bracket of r/(1 + r)·A is earned
    # on r·H·s shares, in cash, in shares, or both.
    first, reserve, capital = 80.0, 0.6, 50_000.0
    prices = [first, first / (1 + bracket), first]
    rules = rules_of(bracket=bracket, profit_share=share, sizing=sizing, reserve=reserve, capital=capital)
    result = engine(panel_of(prices), rules)

    held = capital * (1 - reserve) / first
    growth = share * (1 - share) * bracket**2 / (1 + bracket) if sizing is Sizing.GAIN_SHARE else 0.0
    earned = share * bracket**2 / (1 + bracket) * held * first
    assert result.ledger["kind"].tolist() == [Kind.INITIAL_BUY, Kind.BUY, Kind.SELL]
    assert result.daily["invested"][-1] == pytest.approx(held * (1 + growth) * first, rel=1e-12)
    assert result.daily["value"][-1] - capital == pytest.approx(earned, rel=1e-9)


@pytest.mark.parametrize(("bracket", "share"), BRACKETS_AND_SHARES)
def test_symmetric_round_trip_closes_its_lot_for_the_gain_of_one_bracket(engine, bracket, share):
    first = 80.0
    rules = rules_of(bracket=bracket, profit_share=share, sizing=Sizing.SYMMETRIC, reserve=0.6)
    result = engine(panel_of([first, first / (1 + bracket), first]), rules)

    bought, sold = result.ledger[1:]
    assert sold["quantity"] == -bought["quantity"]
    gain = bought["quantity"] * first * bracket / (1 + bracket)
    assert sold["buyback_gain"] == pytest.approx(gain, rel=1e-12)
    assert result.lots[["lot", "opened", "closed"]].tolist() == [(1, 1, 2)]


@pytest.mark.parametrize(("bracket", "share"), BRACKETS_AND_SHARES)
@pytest.mark.parametrize("rungs", [1, 7, 40])
def test_ath_sell_sells_nothing_on_the_way_back_from_n_rungs_until_the_highest_close(engine, bracket, share, rungs):
    # A dip rung multiplies the holdings by 1 + r·s. On the way back every rung but the last lies below the highest
    # close; the last equals it but for the rounding of n divisions and n products, and sells r·s/(1 + r) of all.
    prices = 80 / (1 + bracket) ** np.array([*range(rungs + 1), *range(rungs)[::-1]])
    rules = rules_of(variant=Variant.ATH_SELL, bracket=bracket, profit_share=share, reserve=0.99)
    result = engine(panel_of(prices), rules)

    assert result.ledger["kind"].tolist() == [Kind.INITIAL_BUY, *[Kind.BUY] * rungs, Kind.SELL]
    assert result.daily["passed_rungs"].sum() == rungs - 1
    held, sold = result.ledger["quantity"][:-1].sum(), -result.ledger["quantity"][-1]
    assert held == pytest.approx(1_000 / 80 * (1 + bracket * share) ** rungs, rel=1e-12)
    assert sold == pytest.approx(held * bracket * share / (1 + bracket), rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_lot_order_changes_nothing_but_which_lot_a_gain_is_counted_against(engine, seed):
    case = random_case(seed)
    by_shares = dataclasses.replace(case.rules, variant=Variant.FULL, sizing=Sizing.GAIN_SHARE)
    newest = engine(case.panel, dataclasses.replace(by_shares, lot_order=LotOrder.LIFO))
    oldest = engine(case.panel, dataclasses.replace(by_shares, lot_order=LotOrder.FIFO))

    columns = [column for column in LEDGER.names or () if column != "buyback_gain"]
    assert_same_rows(oldest.ledger[columns], newest.ledger[columns])
    assert_same_rows(oldest.daily, newest.daily)
    # Sales take as much from lots in either order, so as much of them stays open.
    left = [result.lots["quantity"][result.lots["closed"] == -1].sum() for result in (newest, oldest)]
    assert left[1] == pytest.approx(left[0], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("bracket", "share"), BRACKETS_AND_SHARES)
def test_overdrawn_bank_owes_the_margin_rate_compounded_by_session(engine, bracket, share):
    # The dip of one rung is bought for r·s/(1 + r) of the capital, all of it on credit. The debt then grows by
    # 1 + rate·days/365 from session to session, as long as the price stays where it is; what money earns is no matter.
    sessions = np.busday_offset("2021-01-04", np.arange(60))
    prices = np.where(np.arange(60) == 0, 80.0, 80.0 / (1 + bracket))
    rules = rules_of(bracket=bracket, profit_share=share, capital=1_000.0, margin_limit=0.5, margin_rate=0.09)
    result = engine(panel_of(prices, sessions=sessions, rates=0.02), rules)

    days = np.diff(sessions[1:]).astype(int)
    owed = 1_000 * bracket * share / (1 + bracket) * np.cumprod(1 + 0.09 * days / 365)
    np.testing.assert_allclose(result.daily["bank"][2:], -owed, rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_no_profit_share_books_what_no_rule_books(engine, seed):
    case = random_case(seed)
    nothing = dataclasses.replace(of_the_rule_alone(case.rules), profit_shares=np.zeros(len(case.panel.tickers)))
    traded = engine(case.panel, dataclasses.replace(nothing, variant=Variant.FULL))
    held = engine(case.panel, dataclasses.replace(nothing, variant=Variant.NO_RULE))

    assert_same_rows(traded.ledger, held.ledger)


# With high_first a rising bar is not a rise: from its high the price is taken to fall to the low.
@pytest.mark.parametrize("path", [Path.NEAREST, Path.LOW_FIRST, Path.CLOSE_ONLY], ids=name_of)
@pytest.mark.parametrize("anchor", list(Anchor), ids=name_of)
def test_full_and_ath_only_agree_on_a_monotone_rise(engine, path, anchor):
    tops = 100 * np.cumprod(1 + np.random.default_rng(7).uniform(0.0, 0.3, size=60))
    bottoms = np.concatenate(([100.0], tops[:-1]))
    panel = panel_of(list(zip(bottoms, tops, bottoms, tops, strict=True)))
    full = engine(panel, rules_of(path=path, anchor=anchor))
    ath_only = engine(panel, rules_of(path=path, anchor=anchor, variant=Variant.ATH_ONLY))

    assert (full.ledger["kind"] == Kind.SELL).sum() > 10
    assert_same_rows(full.ledger, ath_only.ledger)
    assert_same_rows(full.daily, ath_only.daily)


@pytest.mark.parametrize("path", list(Path), ids=name_of)
@pytest.mark.parametrize("order", list(Order), ids=name_of)
@pytest.mark.parametrize("band", [0.01, math.inf], ids=["bands", "no_bands"])
def test_flat_prices_book_no_rule_trade(engine, path, order, band):
    flat = np.full((3, 30), [[0.07], [1.0], [912.35]])
    rules = rules_of(assets=3, reserve=0.2, path=path, order=order, band=band)
    result = engine(panel_of(*flat, rates=0.03), rules)

    assert not np.isin(result.ledger["kind"], RULE_TRADES).any()
    assert not result.daily["passed_rungs"].any()


@pytest.mark.parametrize("seed", range(10))
def test_same_input_gives_the_same_bytes(engine, seed):
    case = random_case(seed)
    first, second = engine(case.panel, case.rules), engine(case.panel, case.rules)

    for table in ("ledger", "daily", "lots"):
        assert getattr(first, table).tobytes() == getattr(second, table).tobytes()


@pytest.mark.parametrize("rates", [0.05, -0.01, np.linspace(-0.02, 0.06, 90)], ids=["up", "down", "moving"])
def test_portfolio_that_could_buy_nothing_earns_the_risk_free_return(engine, rates):
    # No share is bought, since none is as large as the lot: the capital is lent over calendar days, weekends included.
    sessions = np.busday_offset("2021-01-04", np.arange(90))
    prices = 50 * np.exp(np.random.default_rng(1).normal(0, 0.1, size=90))
    panel = panel_of(prices, sessions=sessions, rates=rates)
    result = engine(panel, rules_of(lot_size=HUGE_LOT))

    days = np.diff(sessions).astype(int)
    lent = 100_000 * np.cumprod(1 + panel.rates[:-1] * days / 365)
    np.testing.assert_allclose(result.daily["value"][1:], lent, rtol=1e-12)
    assert set(result.ledger["kind"]) == {Kind.INTEREST}


# Portfolios that hold fixed shares of their value, without costs.

ALWAYS = {"deviation": 1e-9}


def rebalancing(weights, reserve, **others):
    return rules_of(weights=weights, reserve=reserve, variant=Variant.NO_RULE, **others)


@pytest.mark.parametrize("trigger", [ALWAYS, {"rebalance_every": Every.MONTH}], ids=["deviation", "calendar"])
def test_shannons_demon_grows_by_an_eighth_with_every_double_and_half(engine, trigger):
    # Half of the money in what doubles and halves by turns, which alone leads nowhere: 1.5 · 0.75 = 1.125.
    sessions = (np.datetime64("2021-01") + np.arange(13)).astype("datetime64[D]")
    panel = panel_of([100.0, *[200.0, 100.0] * 6], sessions=sessions)
    value = engine(panel, rebalancing([1.0], 0.5, capital=1_000.0, **trigger)).daily["value"]

    np.testing.assert_allclose(value[::2], 1_000 * 1.125 ** np.arange(7), rtol=1e-12)
    np.testing.assert_allclose(value[1::2], 1_500 * 1.125 ** np.arange(6), rtol=1e-12)


@pytest.mark.parametrize("reserve", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.3, 0.2], [0.6, 0.4, 0.0]], ids=["one", "three", "one_idle"])
def test_constant_mix_grows_by_the_mean_of_its_parts(engine, weights, reserve):
    # Every session multiplies the value by R + (1 - R) · Σ w·x, where x is what the session multiplies each price by.
    steps = np.exp(np.random.default_rng(5).normal(0, 0.08, size=(60, len(weights))))
    prices = 100 * np.cumprod(np.vstack([np.ones(len(weights)), steps]), axis=0)
    result = engine(panel_of(*prices.T), rebalancing(weights, reserve, **ALWAYS))

    growth = reserve + (1 - reserve) * steps @ weights
    np.testing.assert_allclose(result.daily["value"][1:], 100_000 * np.cumprod(growth), rtol=1e-9)
    np.testing.assert_allclose(result.daily["bank"], reserve * result.daily["value"], rtol=1e-6, atol=1e-3)


def test_rule_that_trades_nothing_leaves_a_constant_mix(engine):
    # With no profit share every rung is passed, and the portfolio is what its rebalancing makes of it.
    steps = np.exp(np.random.default_rng(6).normal(0, 0.2, size=(60, 2)))
    panel = panel_of(*(100 * np.cumprod(np.vstack([np.ones(2), steps]), axis=0)).T)
    held = rebalancing([0.5, 0.5], 0.2, profit_share=0.0, **ALWAYS)
    traded = dataclasses.replace(held, variant=Variant.FULL)

    assert_same_rows(engine(panel, traded).ledger, engine(panel, held).ledger)
    assert engine(panel, traded).daily["passed_rungs"].sum() > 10


@pytest.mark.parametrize("seed", range(10))
def test_bands_that_reach_everywhere_change_nothing(engine, seed):
    # A band as wide as twice the target and more, measured in weights beyond any that can be: nothing lapses.
    case = random_case(seed)
    alone = of_the_rule_alone(case.rules)
    banded = dataclasses.replace(alone, band=1e6)

    assert_same_rows(engine(case.panel, banded).ledger, engine(case.panel, alone).ledger)


# Targets that change.


def table_bytes(result):
    return [getattr(result, table).tobytes() for table in ("ledger", "daily", "lots")]


@pytest.mark.parametrize("on_change", [False, True], ids=["without_the_trigger", "with_the_trigger"])
@pytest.mark.parametrize("seed", range(40))
def test_constant_schedule_gives_the_bytes_of_a_constant_weight(engine, seed, on_change):
    case = random_case(seed)
    first, sessions = case.rules.targets.weights[0], case.panel.sessions
    quarters = np.arange(sessions[0].astype("M8[Y]"), sessions[-1] + 200, np.timedelta64(3, "M"), dtype="M8[M]")
    schedule = targets_of(dict.fromkeys(quarters, first))
    rules = dataclasses.replace(case.rules, targets=Targets.constant(first), rebalance_on_change=on_change)

    constant = table_bytes(engine(case.panel, rules))
    assert table_bytes(engine(case.panel, dataclasses.replace(rules, targets=schedule))) == constant
    if not on_change:
        assert table_bytes(engine(case.panel, dataclasses.replace(rules, rebalance_on_change=True))) == constant


def test_schedule_of_all_or_nothing_earns_what_each_asset_earned_while_held(engine):
    # All of the money in the first asset for a quarter, then in the second, and so on: the product of those stretches.
    # A row comes into force at the close of its session, so the return up to that close is still the one before's.
    steps = np.exp(np.random.default_rng(8).normal(0, 0.05, size=(80, 2)))
    prices = 100 * np.cumprod(np.vstack([np.ones(2), steps]), axis=0)
    days = np.datetime64("2020-01-01") + np.arange(0, 80, 10)
    targets = targets_of({day: [turn % 2, 1 - turn % 2] for turn, day in enumerate(days)})
    rules = rules_of(targets=targets, variant=Variant.NO_RULE, rebalance_on_change=True, capital=1_000.0)
    value = engine(panel_of(*prices.T), rules).daily["value"]

    held = np.repeat(np.arange(8) % 2, 10)
    growth = np.where(held == 1, steps[:, 0], steps[:, 1])
    np.testing.assert_allclose(value[1:], 1_000 * np.cumprod(growth), rtol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_targets_that_nothing_trades_towards_change_nothing(engine, seed):
    case = random_case(seed)
    alone = dataclasses.replace(of_the_rule_alone(case.rules), shortfall=Shortfall.NONE)
    first = Targets.constant(alone.targets.weights[0])
    sessions = case.panel.sessions
    moving = targets_of({sessions[0]: first.weights[0], sessions[len(sessions) // 2]: np.roll(first.weights[0], 1)})

    found, expected = (engine(case.panel, dataclasses.replace(alone, targets=targets)) for targets in (moving, first))
    assert_same_rows(found.ledger, expected.ledger)


@pytest.mark.parametrize("seed", range(10))
def test_rules_that_never_act_change_nothing(engine, seed):
    case = random_case(seed)
    alone = dataclasses.replace(of_the_rule_alone(case.rules), variant=Variant.FULL)
    sleeping = {"cash_high": 1e6, "candidates": (0,), "drift": 1e9, "premium_spread": 1e6, "stop": 1e6}
    rules = dataclasses.replace(alone, **sleeping, min_trade=1e9, max_cost=1e-9)

    assert_same_rows(engine(case.panel, rules).ledger, engine(case.panel, alone).ledger)
