"""What trades at the close, and what restrains the rule: small portfolios worked out by hand.

Every expected number is exact; its arithmetic is beside it. Most portfolios hold five or so shares of each asset,
bought at 100, without costs. What holds whatever the numbers belongs in ``portfolio_laws`` and ``test_closed_forms``.
"""

import dataclasses

import numpy as np
import pytest
from support.generators import panel_of, rules_of, targets_of

from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import Every, Shortfall, Sizing, Variant, Width
from sd_core.study.parts import CostAware

# Rungs lie at 64, 80, 100, 125: r = 0.25, and with s = 0.8 a purchase is a fifth (r·s) of the holdings, a sale 16 %
# (r·s/(1+r)).
FIFTHS = {"bracket": 0.25, "profit_share": 0.8}
# Rungs lie at 50, 100, 200, too far to trade by accident.
FAR = {"bracket": 1.0, "profit_share": 0.5}

CASH_MOVES = [Kind.DIVIDEND, Kind.INTEREST, Kind.DEPOSIT, Kind.WITHDRAWAL, Kind.SKIP_WITHDRAWAL]


def months(length):
    return (np.datetime64("2021-01") + np.arange(length)).astype("datetime64[D]")


def holding(**others):
    """Return rules whose rule never trades: what trades is the portfolio's own."""
    return rules_of(**{"assets": 2, "capital": 1_000.0, "variant": Variant.NO_RULE, **others})


def assert_traded(result, expected):
    """Compare all trades and refusals after the first purchases: session, kind, asset, quantity wanted and price."""
    ledger = result.ledger[~np.isin(result.ledger["kind"], [Kind.INITIAL_BUY, *CASH_MOVES])]
    assert ledger[["session", "kind", "asset"]].tolist() == [row[:3] for row in expected]
    wanted = np.where(np.isnan(ledger["quantity"]), ledger["skipped_quantity"], np.abs(ledger["quantity"]))
    assert wanted == pytest.approx([row[3] for row in expected], rel=1e-12)
    assert ledger["price"] == pytest.approx([row[4] for row in expected], rel=1e-12)


# Rebalancing. 1 000 at a reserve of 0.2 buy 4 shares of each of two assets. At 150 and 50 they are worth 600 and 200,
# the portfolio 1 000, and each is to be worth 0.5 · 0.8 · 1 000 = 400.

APART = ([100.0, 150.0], [100.0, 50.0])
BACK_TO_TARGET = [(1, Kind.REBALANCE_SELL, 0, 200 / 150, 150.0), (1, Kind.REBALANCE_BUY, 1, 4.0, 50.0)]


def test_rebalancing_by_the_calendar_sells_the_one_above_and_buys_the_one_below(engine):
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH)
    result = engine(panel_of(*APART, sessions=months(2)), rules)

    assert_traded(result, BACK_TO_TARGET)
    assert result.ledger["amount"][2:] == pytest.approx([200, -200], rel=1e-12)
    assert result.ledger["leg"].tolist() == [4, 4, 4, 4]
    assert result.ledger["premium"][2:] == pytest.approx([0.5, -0.5], rel=1e-12)  # against the highest closes of 100
    assert result.daily["bank"].tolist() == pytest.approx([200, 200], rel=1e-12)
    assert len(result.lots) == 0


def test_rebalancing_sells_before_it_buys_in_any_order_of_assets(engine):
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH)
    result = engine(panel_of(*reversed(APART), sessions=months(2)), rules)

    assert_traded(result, [(1, Kind.REBALANCE_SELL, 1, 200 / 150, 150.0), (1, Kind.REBALANCE_BUY, 0, 4.0, 50.0)])


def test_rebalancing_buys_of_no_more_than_the_cash_above_the_reserve(engine):
    # Of a budget of 400, 10 are the fee: 3.9 shares each, worth 585 and 195 later, 980 with the bank; the targets are
    # 392. The sale of 193 leaves 200 + 183 in the bank, 187 above the reserve of 196; 177 of them buy, though 197 is
    # missing.
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH, fee_fixed=10.0)
    result = engine(panel_of(*APART, sessions=months(2)), rules)

    sale, purchase = (1, Kind.REBALANCE_SELL, 0, 193 / 150, 150.0), (1, Kind.REBALANCE_BUY, 1, 177 / 50, 50.0)
    assert_traded(result, [sale, purchase])
    assert result.daily["bank"][1] == pytest.approx(196, rel=1e-12)


def test_rebalancing_trades_whole_lots(engine):
    # 4/3 shares of the first are too many, so one is sold; 4 of the second are missing, for which 150 are there.
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH, lot_size=1.0)
    result = engine(panel_of(*APART, sessions=months(2)), rules)

    assert_traded(result, [(1, Kind.REBALANCE_SELL, 0, 1.0, 150.0), (1, Kind.REBALANCE_BUY, 1, 3.0, 50.0)])


def test_rebalancing_leaves_an_asset_without_a_bar_alone(engine):
    # The second keeps its close of 100: 600 + 400 + 200 = 1 200, of which 480 are the first's target.
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH)
    result = engine(panel_of([100.0, 150.0], [100.0, np.nan], sessions=months(2)), rules)

    assert_traded(result, [(1, Kind.REBALANCE_SELL, 0, 120 / 150, 150.0)])


DAYS = np.array(["2021-11-30", "2021-12-01", "2021-12-31", "2022-01-03", "2022-02-01", "2022-04-29"], "M8[D]")


@pytest.mark.parametrize(
    ("period", "sessions"),
    [(Every.NEVER, []), (Every.MONTH, [1, 3, 4, 5]), (Every.QUARTER, [3, 5]), (Every.YEAR, [3])],
    ids=["never", "month", "quarter", "year"],
)
def test_calendar_rebalances_on_the_first_session_of_each_new_period(engine, period, sessions):
    rules = holding(assets=1, reserve=0.5, rebalance_every=period)
    result = engine(panel_of(100 * 1.1 ** np.arange(6), sessions=DAYS), rules)

    rebalanced = result.ledger["session"][result.ledger["kind"] == Kind.REBALANCE_SELL]
    assert rebalanced.tolist() == sessions


# 5 shares of each at 100. A price of 110 against 90 makes weights of 0.55 and 0.45: 0.05, or a tenth of the target,
# off; a cent more is too much.
@pytest.mark.parametrize(
    ("width", "kind"), [(0.05, Width.ABSOLUTE), (0.1, Width.RELATIVE)], ids=["absolute", "relative"]
)
@pytest.mark.parametrize(("price", "rebalances"), [(110.0, False), (110.01, True)], ids=["at_the_edge", "beyond"])
def test_deviation_rebalances_beyond_its_width_only(engine, width, kind, price, rebalances):
    rules = holding(deviation=width, deviation_width=kind)
    result = engine(panel_of([100.0, price], [100.0, 90.0]), rules)

    assert (result.ledger["kind"] == Kind.REBALANCE_SELL).any() == rebalances


def test_relative_deviation_is_measured_in_the_target_of_each_asset(engine):
    # 2 and 8 shares. At 113 the first weighs 226 / 1 026 = 0.2203: 0.0203 off its target, more than a tenth of it.
    panel = panel_of([100.0, 113.0], [100.0, 100.0])
    rules = holding(weights=[0.2, 0.8], deviation=0.1)
    relative = engine(panel, dataclasses.replace(rules, deviation_width=Width.RELATIVE))

    assert_traded(engine(panel, rules), [])
    excess = 226 - 0.2 * 1_026
    assert_traded(
        relative,
        [(1, Kind.REBALANCE_SELL, 0, excess / 113, 113.0), (1, Kind.REBALANCE_BUY, 1, excess / 100, 100.0)],
    )


# 5 shares and 500. The rise to 110 returns 0.05. On the third session the last two returns are 0 and 0.05; their
# standard deviation is 0.05 / √2 = 0.03536, which is 0.561 a year of 252 sessions and 0.675 a year of 365. The excess
# over 525, which is half of 1 050, is 25.
@pytest.mark.parametrize(
    ("first_day", "level", "rebalances"),
    [("2021-01-04", 0.56, True), ("2021-01-04", 0.57, False), ("2021-01-08", 0.57, True), ("2021-01-08", 0.68, False)],
    ids=["weekdays_below", "weekdays_above", "weekend_below", "weekend_above"],
)
def test_volatility_of_the_sessions_before_rebalances_above_its_level(engine, first_day, level, rebalances):
    rules = holding(assets=1, reserve=0.5, volatility=level, volatility_window=2)
    sessions = np.datetime64(first_day) + np.arange(4)
    result = engine(panel_of([100.0, 110.0, 110.0, 110.0], sessions=sessions), rules)

    assert_traded(result, [(2, Kind.REBALANCE_SELL, 0, 25 / 110, 110.0)] if rebalances else [])


def test_volatility_counts_the_costs_of_the_first_purchase_as_a_return(engine):
    # A fee of 5 % leaves 500 / 1.05 of 500: a return of -0.0238. With the next, of 0, that makes 0.0168 a session, or
    # 0.267 a year. Half of the value is then 488.10; what the bank holds above it, 11.90, buys.
    sessions = np.datetime64("2021-01-04") + np.arange(3)
    rules = holding(assets=1, reserve=0.5, fee_rate=0.05, volatility=0.26, volatility_window=2)
    result = engine(panel_of([100.0] * 3, sessions=sessions), rules)

    half = (500 + 500 / 1.05) / 2
    assert_traded(result, [(2, Kind.REBALANCE_BUY, 0, (500 - half) / 105, 100.0)])


def test_rebalancing_moves_the_anchors_of_what_it_trades(engine):
    # 600 + 240 + 200 = 1 040; the targets are 416. From 150 the next rungs of the first lie at 300 and 75. There a
    # quarter (r·s/(1+r)) of it is sold.
    rules = rules_of(assets=2, capital=1_000.0, reserve=0.2, **FAR, rebalance_every=Every.MONTH)
    sessions = np.array(["2021-01-29", "2021-02-01", "2021-02-02", "2021-02-03"], "M8[D]")
    result = engine(panel_of([100.0, 150.0, 250.0, 300.0], [100.0, 60.0, 60.0, 60.0], sessions=sessions), rules)

    back = [(1, Kind.REBALANCE_SELL, 0, 184 / 150, 150.0), (1, Kind.REBALANCE_BUY, 1, 176 / 60, 60.0)]
    assert_traded(result, [*back, (3, Kind.SELL, 0, (4 - 184 / 150) / 4, 300.0)])


def test_rebalancing_takes_the_lots_of_the_rule_first(engine):
    # 5 shares and 500; one is bought at 80. At 99: 420 + 594 = 1 014, half of it 507, 87 too much.
    rules = rules_of(capital=1_000.0, reserve=0.5, **FIFTHS, rebalance_every=Every.MONTH)
    sessions = np.array(["2021-01-28", "2021-01-29", "2021-02-01"], "M8[D]")
    result = engine(panel_of([100.0, 80.0, 99.0], sessions=sessions), rules)

    assert_traded(result, [(1, Kind.BUY, 0, 1.0, 80.0), (2, Kind.REBALANCE_SELL, 0, 87 / 99, 99.0)])
    assert result.ledger["buyback_gain"][-1] == pytest.approx(87 / 99 * (99 - 80), rel=1e-12)
    assert result.lots[["closed", "quantity"]].tolist() == [
        (2, pytest.approx(87 / 99, rel=1e-12)),
        (-1, pytest.approx(12 / 99, rel=1e-12)),
    ]


@pytest.mark.parametrize(("min_trade", "trades"), [(200.0, BACK_TO_TARGET), (200.01, [])], ids=["enough", "too_small"])
def test_trade_below_the_smallest_is_not_made(engine, min_trade, trades):
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH, min_trade=min_trade)

    assert_traded(engine(panel_of(*APART, sessions=months(2)), rules), trades)


@pytest.mark.parametrize(("max_cost", "number"), [(0.06, 2), (0.055, 1), (0.05, 0)])
def test_trade_dearer_than_the_dearest_is_not_made(engine, max_cost, number):
    # As above, with fees of 10: the sale of 193 costs 0.0518 of itself, the purchase of 177 costs 0.0565.
    rules = holding(reserve=0.2, rebalance_every=Every.MONTH, fee_fixed=10.0, max_cost=max_cost)
    result = engine(panel_of(*APART, sessions=months(2)), rules)

    trades = [(1, Kind.REBALANCE_SELL, 0, 193 / 150, 150.0), (1, Kind.REBALANCE_BUY, 1, 177 / 50, 50.0)]
    assert_traded(result, trades[:number])


@pytest.mark.parametrize(("keys", "trades"), [({}, True), ({"max_cost": CostAware().max_cost}, False)])
def test_purchase_whose_fee_exceeds_its_worth_is_not_made_with_the_defaults(engine, keys, trades):
    # 9.7 shares and 1 000. At 95 half of 1 921.50 is 960.75: 39.25 are missing and there, of which 30 are the fee.
    assert CostAware().min_trade == 0
    rules = holding(assets=1, capital=2_000.0, reserve=0.5, rebalance_every=Every.MONTH, fee_fixed=30.0, **keys)
    result = engine(panel_of([100.0, 95.0], sessions=months(2)), rules)

    assert_traded(result, [(1, Kind.REBALANCE_BUY, 0, 9.25 / 95, 95.0)] if trades else [])


# The weight of 1.52 at 64, 921.60 of 608, is within 0.6 of the target; that of -0.85 at 10 is not.
@pytest.mark.parametrize("trigger", [{"rebalance_every": Every.MONTH}, {"deviation": 0.6}], ids=["month", "deviation"])
def test_portfolio_worth_less_than_nothing_makes_no_trades_at_the_close(engine, trigger):
    # On credit, a fifth of 10 shares is bought at 80, a fifth of 12 at 64: 14.4 shares and a debt of 313.60. At 10 they
    # are worth 144; half of the 608 of the close before no longer covers the debt.
    rules = rules_of(capital=1_000.0, margin_limit=0.5, **FIFTHS, **trigger)
    sessions = np.array(["2021-01-27", "2021-01-28", "2021-01-29", "2021-02-01"], "M8[D]")
    result = engine(panel_of([100.0, 80.0, 64.0, 10.0], sessions=sessions), rules)

    dips = [(1, Kind.BUY, 0, 2.0, 80.0), (2, Kind.BUY, 0, 2.4, 64.0)]
    assert_traded(result, [*dips, (3, Kind.SKIP_BUY, 0, 2.88, 10.0)])
    assert result.daily["value"][3] == pytest.approx(-169.6, rel=1e-12)


# Bands.


def test_return_goes_to_the_nearer_edges_of_the_bands(engine):
    # At 100 and 200 the weights of 5 shares each are 1/3 and 2/3 of 1 500. The edges of 0.45 and 0.55 are 675 and 825.
    rules = rules_of(assets=2, capital=1_000.0, **FAR, band=0.05)
    rules = dataclasses.replace(rules, profit_shares=np.zeros(2))
    result = engine(panel_of([100.0, 100.0], [100.0, 200.0]), rules)

    assert_traded(result, [(1, Kind.REBALANCE_SELL, 1, 175 / 200, 200.0), (1, Kind.REBALANCE_BUY, 0, 1.75, 100.0)])


def test_relative_bands_are_measured_in_targets(engine):
    # 2 and 8 shares. At 125: 250 + 800 = 1 050; a tenth above its target of 0.2, the first is worth 231.
    rules = rules_of(weights=[0.2, 0.8], capital=1_000.0, band=0.1, band_width=Width.RELATIVE)
    rules = dataclasses.replace(rules, profit_shares=np.zeros(2))
    result = engine(panel_of([100.0, 125.0], [100.0, 100.0]), rules)

    assert_traded(result, [(1, Kind.REBALANCE_SELL, 0, 19 / 125, 125.0)])


def test_sale_below_the_band_lapses_once_per_episode_until_the_weight_is_inside(engine):
    # The second doubles: 5 of the first weigh 500 / 1 500. The band begins at 0.4, but all trades at the close are
    # smaller than 150. A rung up, 0.8 (16 %) of 5 are to be sold at 125; the other 4.2 would weigh 525 / 1 500 = 0.35.
    # At 125 it lapses again, which is no news; at 124 the price has left the limit; at 125 it is news: 525 / 1 620.
    # At 156.25 two rungs are reached: 4.2 weigh 656.25 / 1 625 = 0.404, and 16 % of 4.2 fewer 0.339.
    rules = rules_of(assets=2, capital=1_000.0, **FIFTHS, band=0.1, min_trade=150.0)
    rules = dataclasses.replace(rules, profit_shares=np.array([0.8, 0.0]))
    panel = panel_of([100.0, 100.0, 125.0, 125.0, 124.0, 125.0, 156.25], [100.0, *[200.0] * 6])
    result = engine(panel, rules)

    assert_traded(
        result,
        [
            (2, Kind.SKIP_SELL, 0, 0.8, 125.0),
            (5, Kind.SKIP_SELL, 0, 0.8, 125.0),
            (6, Kind.SELL, 0, 0.8, 156.25),
            (6, Kind.SKIP_SELL, 0, 0.672, 156.25),
        ],
    )
    lapsed = result.ledger[result.ledger["kind"] == Kind.SKIP_SELL]
    assert np.isnan(lapsed["quantity"]).all()
    assert np.isnan(lapsed["buyback_gain"]).all()
    assert lapsed["amount"].tolist() == [0, 0, 0]
    assert lapsed["premium"] == pytest.approx([0.25, 0.0, 0.25], rel=1e-12)  # against 100, 125 and 125
    assert result.daily["skipped_buys"].tolist() == [0] * 7


@pytest.mark.parametrize(("band", "kind"), [(0.1, Kind.BUY), (0.09, Kind.SKIP_BUY)], ids=["at_the_edge", "above"])
def test_purchase_above_the_band_lapses_though_the_bank_covers_it(engine, band, kind):
    # The second halves: 5 · 100 + 5 · 50 + 250 = 1 000, of which 800 are to be invested. With a fifth more at 80, the
    # first would weigh 6 · 80 / 800 = 0.6. What is wanted at the close is less than 150.
    rules = rules_of(
        assets=2,
        capital=1_250.0,
        reserve=0.2,
        **FIFTHS,
        band=band,
        min_trade=150.0,
    )
    rules = dataclasses.replace(rules, profit_shares=np.array([0.8, 0.0]))
    result = engine(panel_of([100.0, 100.0, 80.0], [100.0, 50.0, 50.0]), rules)

    assert_traded(result, [(2, kind, 0, 1.0, 80.0)])


# Targets that change. 5 shares of A at 100 and 10 of B at 50; after 110 and 50, at 121 and 40 they are worth
# 605 + 400 = 1 005. A row comes into force at the close of its session.

RISE_AND_FALL = ([100.0, 110.0, 121.0], [50.0, 50.0, 40.0])
FIRST, SECOND, THIRD = "2020-01-01", "2020-01-02", "2020-01-03"


def aiming(rows, **others):
    """Return rules that only follow their targets."""
    return holding(targets=targets_of(rows), **{"rebalance_on_change": True, **others})


def test_targets_that_change_sell_and_buy_at_the_close_of_their_session(engine):
    # A quarter of 1 005 is 251.25, three quarters are 753.75: 353.75 go from A to B, 2.923554 and 8.84375 shares.
    result = engine(panel_of(*RISE_AND_FALL), aiming({FIRST: [0.5, 0.5], THIRD: [0.25, 0.75]}))

    sale, purchase = (2, Kind.REBALANCE_SELL, 0, 353.75 / 121, 121.0), (2, Kind.REBALANCE_BUY, 1, 353.75 / 40, 40.0)
    assert_traded(result, [sale, purchase])
    held = [result.ledger["quantity"][result.ledger["asset"] == asset].sum() for asset in range(2)]
    assert held == pytest.approx([251.25 / 121, 753.75 / 40], rel=1e-12)  # 2.076446 and 18.84375
    assert result.daily["value"].tolist() == pytest.approx([1_000, 1_050, 1_005], rel=1e-12)
    assert result.daily["bank"][-1] == pytest.approx(0, abs=1e-9)


def test_targets_that_sum_to_less_than_1_leave_the_rest_in_the_bank(engine):
    # A tenth is left in the bank: 4.5 and 9 shares, worth 544.50 + 360 + 100 = 1 004.50 at the end, of which 904.05 are
    # to be invested: 0.2 of that is 180.81, 0.4 is 361.62. The bank ends with 100 + 363.69 - 1.62.
    result = engine(panel_of(*RISE_AND_FALL), aiming({FIRST: [0.5, 0.5], THIRD: [0.2, 0.4]}, reserve=0.1))

    sale, purchase = (2, Kind.REBALANCE_SELL, 0, 363.69 / 121, 121.0), (2, Kind.REBALANCE_BUY, 1, 1.62 / 40, 40.0)
    assert_traded(result, [sale, purchase])
    assert result.daily["bank"][-1] == pytest.approx(462.07, rel=1e-12)
    assert result.daily["value"][-1] == pytest.approx(1_004.5, rel=1e-12)


def test_first_purchases_go_by_the_first_row_whatever_its_date(engine):
    # Half of 1 000 buys A, 0.3 buy B, 200 stay. The row of the third session is the first to come.
    result = engine(panel_of(*RISE_AND_FALL), aiming({THIRD: [0.5, 0.3]}))

    assert_traded(result, [])
    assert result.ledger["amount"].tolist() == pytest.approx([-500, -300], rel=1e-12)


@pytest.mark.parametrize(
    "rows",
    [
        {FIRST: [0.5, 0.5], THIRD: [0.25, 0.75]},
        {FIRST: [0.5, 0.5], "2020-01-04": [0.25, 0.75]},
        {FIRST: [0.5, 0.5], "2020-01-04": [0.9, 0.1], "2020-01-05": [0.25, 0.75]},
        {"2019-12-01": [0.5, 0.5], "2020-01-04": [0.9, 0.1], "2020-01-06": [0.25, 0.75]},
        {FIRST: [0.5, 0.5], THIRD: [0.25, 0.75], "2020-01-07": [0.9, 0.1]},
    ],
    ids=["day_after", "weekend", "two_on_a_weekend", "weekend_and_session", "one_too_late"],
)
def test_row_between_two_sessions_belongs_to_the_later_and_the_last_counts(engine, rows):
    # The third session is a Monday; the rows of the day after the second, of the weekend and of that day are its own.
    sessions = np.array([FIRST, SECOND, "2020-01-06"], "M8[D]")
    result = engine(panel_of(*RISE_AND_FALL, sessions=sessions), aiming(rows))

    sale, purchase = (2, Kind.REBALANCE_SELL, 0, 353.75 / 121, 121.0), (2, Kind.REBALANCE_BUY, 1, 353.75 / 40, 40.0)
    assert_traded(result, [sale, purchase])


def test_row_like_the_one_before_triggers_nothing(engine):
    rows = {FIRST: [0.5, 0.5], SECOND: [0.5, 0.5], THIRD: [0.5, 0.5]}

    assert_traded(engine(panel_of(*RISE_AND_FALL), aiming(rows)), [])


def test_targets_that_change_without_their_trigger_wait_for_another(engine):
    # The quarter and three quarters come into force on the second session; the month begins with the third.
    sessions = np.array(["2020-01-30", "2020-01-31", "2020-02-03"], "M8[D]")
    rows = {"2020-01-30": [0.5, 0.5], "2020-01-31": [0.25, 0.75]}
    rules = aiming(rows, rebalance_on_change=False, rebalance_every=Every.MONTH)
    result = engine(panel_of(*RISE_AND_FALL, sessions=sessions), rules)

    sale, purchase = (2, Kind.REBALANCE_SELL, 0, 353.75 / 121, 121.0), (2, Kind.REBALANCE_BUY, 1, 353.75 / 40, 40.0)
    assert_traded(result, [sale, purchase])


def test_deviation_is_measured_from_the_row_that_has_just_come_into_force(engine):
    # 605 of 1 005 are a weight of 0.602, off a half by 0.102 and off 0.6 by next to nothing.
    panel = panel_of(*RISE_AND_FALL)
    rules = aiming({FIRST: [0.5, 0.5], THIRD: [0.6, 0.4]}, rebalance_on_change=False, deviation=0.1)

    assert_traded(engine(panel, rules), [])
    trades = engine(panel, dataclasses.replace(rules, targets=targets_of({FIRST: [0.5, 0.5]}))).ledger
    assert trades["session"][2:].tolist() == [2, 2]


def test_band_around_a_target_moves_with_it_and_one_of_its_own_stays(engine):
    # Around a half, bands of 0.11 hold the weights of 0.602 and 0.398; around 0.25 and 0.75 the first ends at 0.36 and
    # the second begins at 0.64, so 243.20 go from the one to the other. A band of its own, from 0.1 to 0.65, keeps what
    # the first has, and the second has nothing to be bought with.
    panel = panel_of(*RISE_AND_FALL)
    moving = aiming({FIRST: [0.5, 0.5], THIRD: [0.25, 0.75]}, rebalance_on_change=False, band=0.11)
    still = dataclasses.replace(moving, targets=targets_of({FIRST: [0.5, 0.5]}))
    own = dataclasses.replace(moving, band_edges=np.array([[0.1, 0.65], [np.nan, np.nan]]))

    assert_traded(engine(panel, still), [])
    trades = [(2, Kind.REBALANCE_SELL, 0, 243.2 / 121, 121.0), (2, Kind.REBALANCE_BUY, 1, 243.2 / 40, 40.0)]
    assert_traded(engine(panel, moving), trades)
    assert_traded(engine(panel, own), [])


def test_asset_with_neither_width_nor_edges_has_no_band(engine):
    # The second falls to 400 of 1 005, a weight of 0.398, below its edge of 0.45; the first may be anything, so nothing
    # is sold. The dividend of 100, on 10 shares, pays for what the second lacks: 0.45 · 1 105 - 400 = 97.25.
    dividends = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 10.0]])
    rules = holding(band_edges=np.array([[np.nan, np.nan], [0.45, 0.9]]))
    result = engine(panel_of(*RISE_AND_FALL, dividends=dividends), rules)

    assert_traded(result, [(2, Kind.REBALANCE_BUY, 1, 97.25 / 40, 40.0)])


def test_trigger_goes_to_the_targets_and_other_sessions_return_to_the_bands(engine):
    # Bands of 0.05 on the second session: 750 of 1 250, a weight of 0.6, go down to 0.55; 62.50 to the other make 0.45.
    # Then 687.50 and 562.50, on a session that begins a month: 62.50 more, to a half each.
    sessions = np.array(["2020-01-30", "2020-01-31", "2020-02-03"], "M8[D]")
    panel = panel_of([100.0, 150.0, 150.0], [100.0, 100.0, 100.0], sessions=sessions)
    result = engine(panel, holding(band=0.05, rebalance_every=Every.MONTH))

    assert_traded(
        result,
        [
            (1, Kind.REBALANCE_SELL, 0, 62.5 / 150, 150.0),
            (1, Kind.REBALANCE_BUY, 1, 0.625, 100.0),
            (2, Kind.REBALANCE_SELL, 0, 62.5 / 150, 150.0),
            (2, Kind.REBALANCE_BUY, 1, 0.625, 100.0),
        ],
    )


def test_path_of_a_rows_own_session_runs_under_the_row_before(engine):
    # A band of 0.05 around a half lets no sale pass below 0.45: 16 % fewer of 5 shares at 125 weigh 525 / 1 000. Around
    # 0.8 the lower edge would be 0.75, and the sale would lapse; that row is in force from the close on.
    rows = {FIRST: [0.5, 0.5], SECOND: [0.8, 0.2]}
    rules = rules_of(targets=targets_of(rows), capital=1_000.0, **FIFTHS, band=0.05, min_trade=500.0)
    rules = dataclasses.replace(rules, profit_shares=np.array([0.8, 0.0]))
    result = engine(panel_of([100.0, 125.0, 156.25], [100.0, 100.0, 100.0]), rules)

    # On the third session 16 % of 4.2 at 156.25 would leave 551.25 of 1 125, 0.49.
    assert_traded(result, [(1, Kind.SELL, 0, 0.8, 125.0), (2, Kind.SKIP_SELL, 0, 0.672, 156.25)])


def test_withdrawal_sells_what_is_above_the_row_of_its_own_session(engine):
    # A half of 1 005 is 502.50, which the first is above; but the row of that close makes it 703.50 for the first,
    # and 301.50 for the second, whose 400 are above that.
    sessions = np.array(["2020-01-30", "2020-01-31", "2020-02-03"], "M8[D]")
    rows = {"2020-01-30": [0.5, 0.5], "2020-02-03": [0.7, 0.3]}
    rules = aiming(rows, rebalance_on_change=False, withdrawal=90.0, withdrawal_every=Every.MONTH)
    rules = dataclasses.replace(rules, shortfall=Shortfall.OVERWEIGHT)
    result = engine(panel_of(*RISE_AND_FALL, sessions=sessions), rules)

    assert_traded(result, [(2, Kind.FUNDING_SELL, 1, 90 / 40, 40.0)])


# Profit-taking on drift.


@pytest.mark.parametrize(
    ("price", "trades"),
    # 5 shares at 150 weigh 750 / 1 250 = 0.6, a fifth above their half. At 160, 800 / 1 300; half of it is 650.
    [(150.0, []), (160.0, [(1, Kind.PROFIT_SELL, 0, 150 / 160, 160.0)])],
    ids=["at_the_edge", "beyond"],
)
def test_profit_is_taken_down_to_the_target_once_an_asset_has_drifted(engine, price, trades):
    result = engine(panel_of([100.0, price], [100.0, 100.0]), holding(drift=0.2))

    assert_traded(result, trades)


def test_profit_taking_moves_the_anchor(engine):
    # From 160 the next rungs lie at 320 and 80, so nothing is sold at 210. 4.0625 · 210 + 150 + 500 = 1 503.125; the
    # first weighs 853.125, less than 1.2 · 751.5625.
    result = engine(panel_of([100.0, 160.0, 210.0], [100.0] * 3), rules_of(assets=2, capital=1_000.0, **FAR, drift=0.2))

    assert_traded(result, [(1, Kind.PROFIT_SELL, 0, 150 / 160, 160.0)])


def test_no_profit_is_taken_of_what_has_no_target(engine):
    # The third, without a target, is bought as a candidate: 1 000 of 10 000 are above the threshold of 0.
    rules = holding(weights=[0.5, 0.5, 0.0], capital=10_000.0, lot_size=7.0, cash_high=0.0, candidates=(2,), drift=0.01)
    result = engine(panel_of([100.0] * 3, [100.0] * 3, [1.0, 1.0, 2.0]), rules)

    # 49 shares (7 lots of 7) of the first two leave 200: 196 of the third, which nothing sells when it doubles.
    assert_traded(result, [(1, Kind.DEPLOY_BUY, 2, 196.0, 1.0)])


def test_profit_taking_is_no_proceeds_of_the_rule(engine):
    rules = holding(drift=0.2, withdrawal=100.0, withdrawal_every=Every.MONTH, coverage_min=0.01)
    result = engine(panel_of([100.0, 160.0], [100.0, 100.0], sessions=months(2)), rules)

    assert result.ledger["kind"][2:].tolist() == [Kind.PROFIT_SELL, Kind.SKIP_WITHDRAWAL]


# The premium spread.


def test_spread_trades_one_rung_of_the_dearest_for_the_cheapest_once_per_episode(engine):
    # Premiums against the highest close before: 0.10 and -0.05; then 0.10 (121 / 110) and -0.05, still wide; then 0 and
    # -0.05, which ends it; then 0 and -0.20. A rung is 16 %: 0.8 of 5, 0.672 of 4.2.
    rules = holding(**FIFTHS, premium_spread=0.1)
    result = engine(panel_of([100.0, 110.0, 121.0, 121.0, 121.0], [100.0, 95.0, 95.0, 95.0, 80.0]), rules)

    assert_traded(
        result,
        [
            (1, Kind.REBALANCE_SELL, 0, 0.8, 110.0),
            (1, Kind.REBALANCE_BUY, 1, 88 / 95, 95.0),
            (4, Kind.REBALANCE_SELL, 0, 0.672, 121.0),
            (4, Kind.REBALANCE_BUY, 1, 0.672 * 121 / 80, 80.0),
        ],
    )


def test_spread_whose_sale_is_too_small_buys_nothing_and_is_not_tried_again(engine):
    # 0.8 · 110 is below 100; 0.8 · 130 is not, but belongs to the same episode.
    rules = holding(**FIFTHS, premium_spread=0.1, min_trade=100.0)
    result = engine(panel_of([100.0, 110.0, 130.0], [100.0, 95.0, 95.0]), rules)

    assert_traded(result, [])


def test_what_a_spread_sells_stays_in_the_bank_and_is_no_proceeds_of_the_rule(engine):
    # 490 of 500 buy 4.9 shares. A rung of 0.784 at 110 is 86.24, of which the fee is 0.116. Its proceeds of 76.24
    # would buy for 66.24, of which the fee is 0.151. No rule has sold, so nothing covers the withdrawal.
    rules = holding(**FIFTHS, premium_spread=0.1, fee_fixed=10.0, max_cost=0.12)
    paying = dataclasses.replace(rules, withdrawal=50.0, withdrawal_every=Every.MONTH, coverage_min=0.01)
    result = engine(panel_of([100.0, 110.0], [100.0, 95.0], sessions=months(2)), paying)

    assert result.ledger["kind"][2:].tolist() == [Kind.REBALANCE_SELL, Kind.SKIP_WITHDRAWAL]
    assert result.daily["bank"] == pytest.approx([0.0, 76.24], rel=1e-12, abs=1e-9)


def test_spread_sells_a_rung_of_the_gain_whatever_the_sizing(engine):
    # A symmetric sale would be of the lot, 1 share bought at 80; a rung of 6 shares is 0.96. At 84 and 80 the premiums
    # against 100 and 100 are -0.16 and -0.20.
    rules = rules_of(assets=2, capital=2_000.0, reserve=0.5, **FIFTHS, sizing=Sizing.SYMMETRIC, premium_spread=0.03)
    result = engine(panel_of([100.0, 80.0, 84.0], [100.0, 80.0, 80.0]), rules)

    purchases = [(1, Kind.BUY, 0, 1.0, 80.0), (1, Kind.BUY, 1, 1.0, 80.0)]
    pair = [(2, Kind.REBALANCE_SELL, 0, 0.96, 84.0), (2, Kind.REBALANCE_BUY, 1, 0.96 * 84 / 80, 80.0)]
    assert_traded(result, [*purchases, *pair])


# Deployment of cash. 4.5 shares of each of two assets and 100. A dividend of 100 a share pays 450; the first closes
# at 60: 270 + 450 + 550 = 1 270. Of the bank, 0.43 of that, 423 lie above the reserve of 127. Targets are 571.50.

DIVIDEND = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]])
THIRDS = {"weights": [0.5, 0.5, 0.0], "reserve": 0.1, "cash_high": 0.3}


def test_cash_is_deployed_where_most_is_missing(engine):
    # 301.50 and 121.50 are missing.
    panel = panel_of([100.0, 60.0], [100.0, 100.0], [10.0, 10.0], dividends=DIVIDEND)
    result = engine(panel, holding(**THIRDS))

    assert_traded(result, [(1, Kind.DEPLOY_BUY, 0, 301.5 / 60, 60.0), (1, Kind.DEPLOY_BUY, 1, 1.215, 100.0)])
    assert result.daily["bank"][1] == pytest.approx(127.0, rel=1e-12)


def test_cash_is_deployed_in_order_of_money_and_fees_cut_the_last(engine):
    # After fees of 10, 4.4 of each: 264 + 440 + 540 = 1 244, 415.60 of it above the reserve. 119.80 and 295.80 are
    # missing. The larger takes 305.80 with its fee, which leaves 99.80 and a fee for the other.
    panel = panel_of([100.0, 100.0], [100.0, 60.0], [10.0, 10.0], dividends=DIVIDEND[:, [1, 0, 2]])
    result = engine(panel, holding(**THIRDS, fee_fixed=10.0))

    assert_traded(result, [(1, Kind.DEPLOY_BUY, 1, 295.8 / 60, 60.0), (1, Kind.DEPLOY_BUY, 0, 0.998, 100.0)])
    assert result.daily["bank"][1] == pytest.approx(124.4, rel=1e-12)


def test_candidates_share_equally_what_no_target_asks_for_in_their_order(engine):
    # The second has no bar and keeps its close: 121.50 are left after the first, 60.75 for each candidate.
    panel = panel_of([100.0, 60.0], [100.0, np.nan], [10.0, 10.0], dividends=DIVIDEND)
    result = engine(panel, holding(**THIRDS, candidates=(2, 1, 0)))

    assert_traded(
        result,
        [
            (1, Kind.DEPLOY_BUY, 0, 301.5 / 60, 60.0),
            (1, Kind.DEPLOY_BUY, 2, 6.075, 10.0),
            (1, Kind.DEPLOY_BUY, 0, 60.75 / 60, 60.0),
        ],
    )


@pytest.mark.parametrize(("threshold", "deploys"), [(0.43, True), (0.434, False)])
def test_cash_is_deployed_above_its_threshold_only(engine, threshold, deploys):
    # 550 / 1 270 = 0.4331.
    panel = panel_of([100.0, 60.0], [100.0, 100.0], [10.0, 10.0], dividends=DIVIDEND)
    result = engine(panel, holding(**{**THIRDS, "cash_high": threshold}))

    assert (result.ledger["kind"] == Kind.DEPLOY_BUY).any() == deploys


def test_equal_needs_of_cash_are_met_in_the_order_of_the_universe(engine):
    # A dividend of 50 on 7 shares: 1 350, of which 300 and 700 are too little. The bands begin at 0.25 and 0.65;
    # from there both lack 0.05, or 67.50, whatever rounding says.
    rules = holding(weights=[0.3, 0.7], band=0.05, cash_high=0.0, profit_share=0.0)
    dividends = np.array([[0.0, 0.0], [0.0, 50.0]])
    result = engine(panel_of([100.0, 100.0], [100.0, 100.0], dividends=dividends), rules)

    bands = [(1, Kind.REBALANCE_BUY, 0, 0.375, 100.0), (1, Kind.REBALANCE_BUY, 1, 1.775, 100.0)]
    assert_traded(result, [*bands, (1, Kind.DEPLOY_BUY, 0, 0.675, 100.0), (1, Kind.DEPLOY_BUY, 1, 0.675, 100.0)])


# Cash low.


def test_low_cash_cuts_purchases_in_proportion(engine):
    # 9 shares and 100: half of what cash should be, so half of a fifth of 9 is bought at 80. That leaves 28 of 820,
    # 28 / 820 / 0.2 of what it should be; at 64, that share of a fifth of 9.9 is bought.
    result = engine(panel_of([100.0, 80.0, 64.0]), rules_of(capital=1_000.0, reserve=0.1, **FIFTHS, cash_low=0.2))

    assert_traded(result, [(1, Kind.BUY, 0, 0.9, 80.0), (2, Kind.BUY, 0, 9.9 * 28 / 820, 64.0)])


def test_purchase_that_low_cash_cuts_to_nothing_is_passed(engine):
    # Of 0.9 shares no whole one is left. The rung counts as passed, and the next is 64, where 0.9 / 9 · 100 / 820 …
    # of a share is none either.
    rules = rules_of(capital=1_000.0, reserve=0.1, lot_size=1.0, **FIFTHS, cash_low=0.2)
    result = engine(panel_of([100.0, 80.0, 80.0]), rules)

    assert_traded(result, [])
    assert result.daily["passed_rungs"].tolist() == [0, 1, 0]


def test_low_cash_allows_no_purchase_on_credit_alone(engine):
    rules = rules_of(capital=1_000.0, margin_limit=0.5, **FIFTHS)
    panel = panel_of([100.0, 80.0])

    assert_traded(engine(panel, rules), [(1, Kind.BUY, 0, 2.0, 80.0)])
    assert_traded(engine(panel, dataclasses.replace(rules, cash_low=0.1)), [])


@pytest.mark.parametrize("prices", [(7.0, 11.0, 13.0), (3.0, 0.7, 0.11), (0.3, 170.0, 59.0)])
def test_bank_that_only_rounding_has_filled_buys_nothing(engine, prices):
    # A third of 1 000 for each leaves nothing, or what three divisions leave of it.
    panel = panel_of(*[(price, price / 1.25) for price in prices])
    rules = rules_of(assets=3, capital=1_000.0, **FIFTHS, fee_rate=0.003, cash_low=0.5)

    assert_traded(engine(panel, rules), [])


# The portfolio stop.


def test_stop_halts_purchases_until_half_of_a_fall_is_recovered_and_resets_its_peak(engine):
    # 5 shares and 500. At 80 one more is bought; the index falls to 0.900, more than 0.09 below 1.
    # At 64 the second rung is not tried: 0.804. Half way back is 0.902: 80 (0.900) does not do, 81 (0.906) does.
    # At 64 a fifth of 6 is bought: 343.20 + 460.80, again 0.804, more than 0.09 below the new peak of 0.906.
    # At 51.20 nothing: 0.71184. Half way back to 0.906 is 0.80892; 65 (0.8112) does, though not half way to 1.
    # At 51.20 a fifth of 7.2 is bought.
    rules = rules_of(capital=1_000.0, reserve=0.5, **FIFTHS, stop=0.09)
    result = engine(panel_of([100.0, 80.0, 64.0, 80.0, 81.0, 64.0, 51.2, 65.0, 51.2]), rules)

    assert_traded(
        result,
        [(1, Kind.BUY, 0, 1.0, 80.0), (5, Kind.BUY, 0, 1.2, 64.0), (8, Kind.BUY, 0, 1.44, 51.2)],
    )
    assert result.daily["value"][1:8] / 1_000 == pytest.approx([0.9, 0.804, 0.9, 0.906, 0.804, 0.71184, 0.8112])
    assert not result.daily["passed_rungs"].any()


def test_stop_looks_at_returns_and_not_at_money_that_goes(engine):
    # 400 of 1 000 go; the index stays at 1, so the dip is bought.
    rules = rules_of(capital=1_000.0, reserve=0.5, **FIFTHS, stop=0.1, withdrawal=400.0, withdrawal_every=Every.MONTH)
    sessions = np.array(["2021-01-29", "2021-02-01", "2021-02-02"], "M8[D]")

    assert_traded(engine(panel_of([100.0, 100.0, 80.0], sessions=sessions), rules), [(2, Kind.BUY, 0, 1.0, 80.0)])


# Adaptive brackets. The price jumps from 100 to 125 and back so often, each time over a rung, and rests. It then
# doubles, from a rung, on the first of April: as many rungs are passed as a doubling has steps.


def passed_at_the_end(engine, bars, first_day):
    rules = rules_of(bracket=0.25, profit_share=0.0, adaptive_bracket=True)
    sessions = np.datetime64(first_day) + np.arange(len(bars))
    return engine(panel_of(bars, sessions=sessions), rules).daily["passed_rungs"][-1]


def jumping(times, length):
    """Return closes that jump from session 1 on and rest, then double."""
    closes = np.where(np.minimum(np.arange(length), times) % 2, 125.0, 100.0)
    return [*closes, 2 * closes[-1]]


@pytest.mark.parametrize(("jumps", "steps"), [(0, 6), (4, 6), (5, 8), (13, 8), (14, 12), (60, 12)])
def test_bracket_follows_the_share_of_sessions_with_a_gap(engine, jumps, steps):
    # 5 % and 15 % of 90 sessions are 4.5 and 13.5.
    assert passed_at_the_end(engine, jumping(jumps, 91), "2020-12-31") == steps


def test_bracket_stays_with_fewer_sessions_than_the_window(engine):
    # The first of April is the 91st session, and the first of all does not count: 1.25³ < 2 < 1.25⁴.
    assert passed_at_the_end(engine, jumping(60, 90), "2021-01-01") == 3


def test_bracket_stays_within_the_month(engine):
    # The second of April, for which the first decided; the third, with the window full since the second.
    assert passed_at_the_end(engine, jumping(60, 92), "2020-12-31") == 12
    assert passed_at_the_end(engine, jumping(60, 92), "2021-01-01") == 3


def test_rung_crossed_within_the_day_is_no_gap(engine):
    up, down = (100.0, 125.0, 100.0, 125.0), (125.0, 125.0, 100.0, 100.0)
    bars = [100.0, *[up, down] * 45, 200.0]

    assert passed_at_the_end(engine, bars, "2020-12-31") == 6


def test_gap_older_than_the_window_does_not_count(engine):
    # Fourteen jumps, in sessions 1 to 14; on the first of April, session 91 + 10, the window begins with session 11.
    assert passed_at_the_end(engine, jumping(14, 101), "2020-12-21") == 6


# What is sold for a withdrawal, smallest gain first.


def test_lowest_tax_sells_all_of_the_smallest_gain_then_of_the_next(engine):
    # 5 shares of each; gains of 20/120, -10/90 and 0. All of the second raises 450; 100 more are one of the third.
    rules = holding(assets=3, capital=1_500.0, withdrawal=550.0, withdrawal_every=Every.MONTH)
    rules = dataclasses.replace(rules, shortfall=Shortfall.LOWEST_TAX)
    result = engine(panel_of([100.0, 120.0], [100.0, 90.0], [100.0, 100.0], sessions=months(2)), rules)

    assert_traded(result, [(1, Kind.FUNDING_SELL, 1, 5.0, 90.0), (1, Kind.FUNDING_SELL, 2, 1.0, 100.0)])
    assert result.daily["withdrawals"][1] == pytest.approx(550.0, rel=1e-12)


def test_lowest_tax_counts_what_was_paid_on_average(engine):
    # One share more at 80 makes six for 580, 96.67 each: at 90 a loss of 0.074. The other lost 8 / 92 = 0.087. Without
    # that purchase the first would have lost more, 10 / 90. The bank holds 920 of 1 012.
    rules = rules_of(
        assets=2,
        capital=2_000.0,
        reserve=0.5,
        **FIFTHS,
        withdrawal=1_012.0,
        withdrawal_every=Every.MONTH,
        shortfall=Shortfall.LOWEST_TAX,
    )
    sessions = np.array(["2021-01-28", "2021-01-29", "2021-02-01"], "M8[D]")
    result = engine(panel_of([100.0, 80.0, 90.0], [100.0, 100.0, 92.0], sessions=sessions), rules)

    assert_traded(result, [(1, Kind.BUY, 0, 1.0, 80.0), (2, Kind.FUNDING_SELL, 1, 1.0, 92.0)])


def test_lowest_tax_counts_fees_as_paid(engine):
    # Both are where they were bought, the second in one trade of the same fee for less money: 10 of 100 against 10
    # of 900 is a larger loss. The sale raises its own fee too: 50 + 10 at 100.
    rules = holding(
        weights=[0.9, 0.1],
        capital=1_000.0,
        fee_fixed=10.0,
        withdrawal=50.0,
        withdrawal_every=Every.MONTH,
        shortfall=Shortfall.LOWEST_TAX,
    )
    result = engine(panel_of([100.0, 100.0], [100.0, 100.0], sessions=months(2)), rules)

    assert_traded(result, [(1, Kind.FUNDING_SELL, 1, 0.6, 100.0)])


def test_lowest_tax_takes_equal_gains_in_the_order_of_the_universe(engine):
    # Nothing has moved, so each has lost its fee of 0.3 %, whatever rounding says.
    rules = holding(assets=3, capital=1_000.0, fee_rate=0.003, withdrawal=50.0, withdrawal_every=Every.MONTH)
    rules = dataclasses.replace(rules, shortfall=Shortfall.LOWEST_TAX)
    for prices in ((97.0, 31.0, 7.3), (31.0, 7.3, 97.0), (7.3, 97.0, 31.0)):
        result = engine(panel_of(*[(price, price) for price in prices], sessions=months(2)), rules)

        assert_traded(result, [(1, Kind.FUNDING_SELL, 0, 50 / 0.997 / prices[0], prices[0])])
