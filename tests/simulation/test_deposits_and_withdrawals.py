"""Money that comes and goes by the calendar: small portfolios worked out by hand, and the closed forms of flat prices.

Every expected number is exact; its arithmetic is beside it. What the rule itself trades belongs in
``test_worked_examples``, rows of arbitrary panels in ``test_engines_agree``.
"""

import dataclasses

import numpy as np
import pytest
from support.generators import panel_of, rules_of, targets_of

from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import Every, Proceeds, Shortfall, Variant

# Rungs lie at 64, 80, 100, 125: r = 0.25, and with s = 0.8 a purchase is a fifth (r·s) of the holdings, a sale 16 %
# (r·s/(1+r)).
FIFTHS = {"bracket": 0.25, "profit_share": 0.8}


def first_of_months(length):
    return (np.datetime64("2021-01") + np.arange(length)).astype("datetime64[D]")


def monthly_panel(*assets):
    """Return a panel with one session a month."""
    return panel_of(*assets, sessions=first_of_months(len(assets[0])))


def one_new_month_panel(*assets):
    """Return a panel of four days, the third of which begins a month."""
    return panel_of(*assets, sessions=np.array(["2021-01-28", "2021-01-29", "2021-02-01", "2021-02-02"], "M8[D]"))


def assert_booked(result, expected):
    """Compare what follows the first purchases: session, kind and amount."""
    booked = result.ledger[result.ledger["kind"] != Kind.INITIAL_BUY]
    assert booked[["session", "kind"]].tolist() == [row[:2] for row in expected]
    assert booked["amount"] == pytest.approx([row[2] for row in expected], rel=1e-12)


def sold_shares(result):
    """Return asset and shares of every sale for a withdrawal, in order."""
    sales = result.ledger[result.ledger["kind"] == Kind.FUNDING_SELL]
    return [(row["asset"], pytest.approx(-row["quantity"], rel=1e-12)) for row in sales]


# Closed forms.


def test_fixed_withdrawals_at_flat_prices_empty_the_bank_and_stop(engine):
    rules = rules_of(capital=1_000.0, reserve=0.5, withdrawal=150.0, withdrawal_every=Every.MONTH)
    result = engine(monthly_panel([100.0] * 7), rules)

    months = np.arange(7)
    np.testing.assert_allclose(result.daily["bank"], np.maximum(500 - 150 * months, 0), rtol=1e-12)
    np.testing.assert_array_equal(result.daily["invested"], 500.0)
    payments = [(1, Kind.WITHDRAWAL, -150.0), (2, Kind.WITHDRAWAL, -150.0), (3, Kind.WITHDRAWAL, -150.0)]
    nothing = [(month, Kind.SKIP_WITHDRAWAL, 0.0) for month in (5, 6)]
    assert_booked(result, [*payments, (4, Kind.WITHDRAWAL, -50.0), *nothing])
    skipped = result.ledger["skipped_quantity"][1:]
    np.testing.assert_array_equal(skipped, [np.nan, np.nan, np.nan, 100.0, 150.0, 150.0])


@pytest.mark.parametrize("policy", list(Shortfall)[1:], ids=lambda policy: policy.name.lower())
def test_fixed_withdrawals_at_flat_prices_use_up_the_portfolio_to_the_last_share(engine, policy):
    rules = rules_of(
        assets=2, capital=1_000.0, reserve=0.5, withdrawal=150.0, withdrawal_every=Every.MONTH, shortfall=policy
    )
    result = engine(monthly_panel([100.0] * 9, [50.0] * 9), rules)

    left = np.maximum(1_000 - 150 * np.arange(9), 0)
    np.testing.assert_allclose(result.daily["value"], left, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(result.daily["withdrawals"], -np.diff(left, prepend=1_000), rtol=1e-12, atol=1e-9)
    # The bank of 500 pays first; 900 have gone after the sixth month, the seventh gets the last 100.
    np.testing.assert_allclose(result.daily["sells"], [0, 0, 0, 0, 100, 150, 150, 100, 0], rtol=1e-12, atol=1e-9)
    assert result.ledger["kind"][-1] == Kind.SKIP_WITHDRAWAL


def test_withdrawing_a_share_of_value_at_flat_prices_decays_geometrically(engine):
    rules = rules_of(
        capital=1_000.0,
        reserve=0.2,
        withdrawal_share=0.1,
        withdrawal_every=Every.MONTH,
        shortfall=Shortfall.PRO_RATA,
    )
    result = engine(monthly_panel([100.0] * 12), rules)

    np.testing.assert_allclose(result.daily["value"], 1_000 * 0.9 ** np.arange(12), rtol=1e-12)


@pytest.mark.parametrize("of_value", [0.0, 0.01])
def test_indexed_withdrawals_take_the_same_purchasing_power_each_period(engine, of_value):
    # Of 1 000, 10 go each month at the prices of the first session, and a share of what is there besides.
    index = np.array([80.0, 84.0, 88.0, 86.0, 100.0])
    rules = rules_of(
        capital=1_000.0,
        reserve=0.9,
        withdrawal=10.0,
        withdrawal_share=of_value,
        withdrawal_every=Every.MONTH,
        indexed=True,
    )
    panel = dataclasses.replace(monthly_panel([100.0] * 5), price_index=index)
    result = engine(panel, rules)

    left = [1_000.0]
    for level in index[1:] / 80:
        left.append(left[-1] * (1 - of_value) - 10 * level)
    np.testing.assert_allclose(result.daily["value"], left, rtol=1e-12)
    if of_value == 0:
        np.testing.assert_allclose(result.daily["withdrawals"], [0, 10.5, 11, 10.75, 12.5], rtol=1e-12)


def test_withdrawals_that_are_not_indexed_ignore_the_price_index(engine):
    rules = rules_of(capital=1_000.0, reserve=0.9, withdrawal=10.0, withdrawal_every=Every.MONTH)
    panel = dataclasses.replace(monthly_panel([100.0] * 3), price_index=np.array([80.0, 84.0, 88.0]))

    assert engine(panel, rules).daily["withdrawals"].tolist() == [0, 10, 10]
    # Nor is there one to follow where the study has none.
    without = dataclasses.replace(panel, price_index=None)
    indexed = dataclasses.replace(rules, indexed=True)
    assert engine(without, indexed).daily["withdrawals"].tolist() == [0, 10, 10]


# When money comes and goes.

DAYS = np.array(["2021-11-30", "2021-12-01", "2021-12-31", "2022-01-03", "2022-02-01", "2022-04-29"], "M8[D]")


@pytest.mark.parametrize(
    ("period", "times"),
    # The last session comes after March, in which there is none.
    [
        (Every.NEVER, [0, 0, 0, 0, 0, 0]),
        (Every.MONTH, [0, 1, 0, 1, 1, 2]),
        (Every.QUARTER, [0, 0, 0, 1, 0, 1]),
        (Every.YEAR, [0, 0, 0, 1, 0, 0]),
    ],
    ids=["never", "month", "quarter", "year"],
)
def test_money_flows_on_first_sessions_of_periods_but_not_on_the_very_first(engine, period, times):
    flows = {"deposit": 300.0, "deposit_every": period, "withdrawal": 200.0, "withdrawal_every": period}
    rules = rules_of(reserve=0.5, deposit_invest=False, **flows)
    result = engine(panel_of([100.0] * 6, sessions=DAYS), rules)

    assert (result.daily["deposits"] / 300).tolist() == times
    assert (result.daily["withdrawals"] / 200).tolist() == times
    assert result.daily["bank"][-1] == 50_000 + 100 * sum(times)


def test_months_without_a_session_are_paid_at_the_next_one(engine):
    # Trading is suspended from mid-February to 9 April: of the five months from February to June none is lost.
    days = np.array(["2024-01-31", "2024-02-01", "2024-02-15", "2024-04-10", "2024-05-02", "2024-06-03"], "M8[D]")
    flows = {"deposit": 7.0, "deposit_every": Every.MONTH, "withdrawal": 100.0, "withdrawal_every": Every.MONTH}
    rules = rules_of(reserve=0.5, deposit_invest=False, **flows)
    result = engine(panel_of([100.0] * 6, sessions=days), rules)

    assert result.daily["withdrawals"].tolist() == [0, 100, 0, 200, 100, 100]
    assert result.daily["deposits"].tolist() == [0, 7, 0, 14, 7, 7]


def test_year_between_two_sessions_has_twelve_months_and_one_year(engine):
    flows = {"deposit": 1.0, "deposit_every": Every.MONTH, "withdrawal": 2.0, "withdrawal_every": Every.YEAR}
    rules = rules_of(reserve=0.5, deposit_invest=False, **flows)
    sessions = np.array(["2021-05-03", "2022-05-03"], "M8[D]")
    result = engine(panel_of([100.0, 100.0], sessions=sessions), rules)

    assert_booked(result, [(1, Kind.DEPOSIT, 12.0), (1, Kind.WITHDRAWAL, -2.0)])


def test_deposit_arrives_after_dividends_and_interest_and_pays_for_that_days_buys(engine):
    # 5 shares at 100, 500 in the bank; interest on 31 days at 0.365 a year is 3.1 %.
    panel = panel_of([100.0, 80.0], sessions=first_of_months(2), dividends=np.array([[0.0], [1.0]]), rates=0.365)
    deposits = {"deposit": 200.0, "deposit_every": Every.MONTH, "deposit_invest": False}
    rules = rules_of(**FIFTHS, capital=1_000.0, reserve=0.5, **deposits)
    result = engine(panel, rules)

    arrivals = [(1, Kind.DIVIDEND, 5.0), (1, Kind.INTEREST, 15.5), (1, Kind.DEPOSIT, 200.0)]
    assert_booked(result, [*arrivals, (1, Kind.BUY, -80.0)])  # a fifth of 5 shares, at 80
    deposit = result.ledger[3]
    assert (deposit["leg"], deposit["asset"], deposit["fee"]) == (-1, -1, 0)
    assert np.isnan([deposit[name] for name in ("quantity", "skipped_quantity", "price", "premium")]).all()
    assert result.daily["income"][1] == pytest.approx(20.5, rel=1e-12)


def test_deposit_pays_for_a_buy_that_the_bank_alone_does_not_cover(engine):
    rules = rules_of(**FIFTHS, capital=1_000.0, deposit=200.0, deposit_every=Every.MONTH)
    result = engine(monthly_panel([100.0, 80.0]), rules)

    # A fifth of 10 shares, at 80; the rest of the deposit is invested at the close.
    assert_booked(result, [(1, Kind.DEPOSIT, 200.0), (1, Kind.BUY, -160.0), (1, Kind.DEPOSIT_BUY, -40.0)])


# What arrives is invested.

HOLDER = {"variant": Variant.NO_RULE, "capital": 1_000.0}


def test_deposit_is_divided_as_the_capital_was(engine):
    rules = rules_of(weights=[0.6, 0.4], reserve=0.25, deposit=100.0, deposit_every=Every.MONTH, **HOLDER)
    result = engine(monthly_panel([100.0, 125.0], [50.0, 40.0]), rules)

    # A quarter stays in the bank; of the other 75, 60 % and 40 % are invested.
    assert_booked(result, [(1, Kind.DEPOSIT, 100.0), (1, Kind.DEPOSIT_BUY, -45.0), (1, Kind.DEPOSIT_BUY, -30.0)])
    bought = result.ledger[-2:]
    assert bought["quantity"] == pytest.approx([45 / 125, 30 / 40], rel=1e-12)
    assert (bought["leg"].tolist(), bought["asset"].tolist()) == ([4, 4], [0, 1])
    assert bought["premium"] == pytest.approx([0.25, -0.2], rel=1e-12)
    assert result.daily["bank"].tolist() == [250.0, 275.0]


def test_deposit_that_is_not_to_be_invested_stays_in_the_bank(engine):
    rules = rules_of(deposit=100.0, deposit_every=Every.MONTH, deposit_invest=False, **HOLDER)
    assert engine(monthly_panel([100.0] * 3), rules).daily["bank"].tolist() == [0.0, 100.0, 200.0]


def test_deposits_of_a_holder_are_an_annuity_at_the_growth_of_the_asset(engine):
    # 1 % a month on the capital and on every deposit since it came: 1 000 g^n + 100 (1 + g + … + g^(n-1)).
    months, growth = 24, 1.01
    rules = rules_of(deposit=100.0, deposit_every=Every.MONTH, **HOLDER)
    result = engine(monthly_panel(100.0 * growth ** np.arange(months + 1)), rules)

    expected = 1_000 * growth**months + 100 * (growth**months - 1) / (growth - 1)
    assert result.daily["value"][-1] == pytest.approx(expected, rel=1e-12)


def test_deposit_is_invested_at_the_targets_in_force_at_its_close(engine):
    targets = targets_of({"2021-01-01": [1.0, 0.0], "2021-02-01": [0.0, 1.0]})
    rules = rules_of(targets=targets, deposit=100.0, deposit_every=Every.MONTH, **HOLDER)
    result = engine(monthly_panel([100.0, 100.0], [50.0, 50.0]), rules)

    assert_booked(result, [(1, Kind.DEPOSIT, 100.0), (1, Kind.DEPOSIT_BUY, -100.0)])
    assert result.ledger["asset"][-1] == 1


def test_what_a_deposit_cannot_buy_stays_in_the_bank(engine):
    # Of 150 for each of two assets, the one has no bar, and the other is sold in whole shares at 100 with a fee of 1.
    rules = rules_of(assets=2, lot_size=1.0, deposit=300.0, deposit_every=Every.MONTH, fee_fixed=1.0, **HOLDER)
    result = engine(monthly_panel([100.0, np.nan], [100.0, 100.0]), rules)

    assert_booked(result, [(1, Kind.DEPOSIT, 300.0), (1, Kind.DEPOSIT_BUY, -101.0)])


def test_purchase_for_a_deposit_leaves_the_rungs_and_the_lots_as_they_are(engine):
    rules = rules_of(**FIFTHS, capital=1_000.0, deposit=500.0, deposit_every=Every.MONTH)
    result = engine(monthly_panel([100.0, 100.0, 125.0]), rules)

    # 15 shares after the deposit: the next rung, still at 125, sells 16 % of them. A second deposit buys 4 at 125.
    sale = result.ledger[result.ledger["kind"] == Kind.SELL]
    assert (sale["quantity"].tolist(), sale["price"].tolist()) == ([pytest.approx(-2.4)], [125.0])
    assert len(result.lots) == 0
    assert result.ledger["quantity"][-1] == pytest.approx(4.0)


def test_reinvested_dividends_earn_the_total_return(engine):
    # A total return index is the product of (price + dividend) / previous price: each dividend buys at the close of its
    # ex-date.
    prices, paid = np.array([100.0, 104.0, 99.0, 120.0, 90.0]), np.array([0.0, 2.0, 0.0, 6.0, 0.5])
    panel = panel_of(prices, dividends=paid[:, None])
    result = engine(panel, rules_of(reinvest=True, **HOLDER))

    total_return = np.cumprod(np.append(1.0, (prices[1:] + paid[1:]) / prices[:-1]))
    np.testing.assert_allclose(result.daily["value"], 1_000 * total_return, rtol=1e-12)
    np.testing.assert_allclose(result.daily["bank"], 0.0, atol=1e-12)
    reinvested = result.ledger[result.ledger["kind"] == Kind.DIVIDEND_BUY]
    assert reinvested["session"].tolist() == [1, 3, 4]


def test_each_dividend_buys_its_own_asset_and_no_other(engine):
    panel = panel_of([100.0, 80.0], [50.0, 50.0], dividends=np.array([[0.0, 0.0], [4.0, 0.0]]))
    result = engine(panel, rules_of(assets=2, reserve=0.5, reinvest=True, **HOLDER))

    # 2.5 shares paid 10, which buy an eighth of a share at 80; the reserve keeps what it has.
    assert_booked(result, [(1, Kind.DIVIDEND, 10.0), (1, Kind.DIVIDEND_BUY, -10.0)])
    assert (result.ledger["asset"][-1], result.ledger["quantity"][-1]) == (0, pytest.approx(0.125))


def test_dividends_that_go_to_the_bank_stay_there(engine):
    panel = panel_of([100.0, 80.0], dividends=np.array([[0.0], [4.0]]))
    assert engine(panel, rules_of(**HOLDER)).daily["bank"].tolist() == [0.0, 40.0]


def test_withdrawal_goes_after_the_trades_of_its_day(engine):
    # 10 shares at 100, nothing in the bank; 16 % of them raise 200 at 125, and the withdrawal takes them.
    rules = rules_of(**FIFTHS, capital=1_000.0, withdrawal=150.0, withdrawal_every=Every.MONTH)
    result = engine(monthly_panel([100.0, 125.0]), rules)

    assert_booked(result, [(1, Kind.SELL, 200.0), (1, Kind.WITHDRAWAL, -150.0)])
    assert (result.ledger["leg"][-1], result.ledger["asset"][-1]) == (4, -1)


def test_due_is_the_fixed_amount_and_the_share_of_the_value_at_that_close(engine):
    # 10 shares, worth 2 000 at 200: 50 + 200 are due, which leaves 1 750; then 50 + 175.
    rules = rules_of(
        variant=Variant.NO_RULE,
        capital=1_000.0,
        withdrawal=50.0,
        withdrawal_share=0.1,
        withdrawal_every=Every.MONTH,
        shortfall=Shortfall.PRO_RATA,
    )
    result = engine(monthly_panel([100.0, 200.0, 200.0]), rules)

    assert result.daily["withdrawals"] == pytest.approx([0, 250, 225], rel=1e-12)
    assert result.daily["value"] == pytest.approx([1_000, 1_750, 1_525], rel=1e-12)
    assert sold_shares(result) == [(0, 1.25), (0, 1.125)]


# What is sold where the bank does not hold a withdrawal. Two assets, 5 shares of each at 100; a month later the first
# is at 140, the portfolio at 700 + 500 = 1 200, the first 100 above its half.

RISE_OF_ONE = ([100.0, 140.0], [100.0, 100.0])


def holding_rules(policy, withdrawal, **others):
    return rules_of(
        assets=2,
        variant=Variant.NO_RULE,
        withdrawal=withdrawal,
        withdrawal_every=Every.MONTH,
        shortfall=policy,
        **{"capital": 1_000.0, **others},
    )


def test_overweight_sells_only_what_is_above_its_target(engine):
    result = engine(monthly_panel(*RISE_OF_ONE), holding_rules(Shortfall.OVERWEIGHT, 70.0))

    assert sold_shares(result) == [(0, 0.5)]  # 70 / 140
    assert_booked(result, [(1, Kind.FUNDING_SELL, 70.0), (1, Kind.WITHDRAWAL, -70.0)])
    sale = result.ledger[2]
    assert (sale["leg"], sale["price"]) == (4, 140.0)
    assert sale["premium"] == pytest.approx(0.4, rel=1e-12)
    assert sale["buyback_gain"] == 0


def test_overweight_goes_on_pro_rata_when_the_excess_does_not_do(engine):
    # 100 of excess at 140 are 5/7 shares. The other 140 come from 600 and 500: 7/55 of 30/7 shares and of 5.
    result = engine(monthly_panel(*RISE_OF_ONE), holding_rules(Shortfall.OVERWEIGHT, 240.0))

    assert sold_shares(result) == [(0, 5 / 7), (0, 6 / 11), (1, 7 / 11)]
    assert result.daily["withdrawals"][1] == pytest.approx(240.0, rel=1e-12)
    assert result.daily["sells"][1] == pytest.approx(240.0, rel=1e-12)


def test_overweight_begins_with_the_largest_excess(engine):
    # 3 shares of each and 900 in the bank. At 300 + 420 + 540 + 900 = 2 160, half of it is to be invested, 360 in each:
    # the excesses are -60, 60 and 180. 200 are missing: all of the 180, and 20 of the 60.
    panel = monthly_panel([100.0, 100.0], [100.0, 140.0], [100.0, 180.0])
    rules = rules_of(
        assets=3,
        variant=Variant.NO_RULE,
        capital=1_800.0,
        reserve=0.5,
        withdrawal=1_100.0,
        withdrawal_every=Every.MONTH,
        shortfall=Shortfall.OVERWEIGHT,
    )
    result = engine(panel, rules)

    assert sold_shares(result) == [(2, 1.0), (1, 1 / 7)]
    assert result.daily["bank"][1] == pytest.approx(0, abs=1e-9)


def test_pro_rata_sells_the_same_share_of_each(engine):
    result = engine(monthly_panel(*RISE_OF_ONE), holding_rules(Shortfall.PRO_RATA, 240.0))

    assert sold_shares(result) == [(0, 1.0), (1, 1.0)]  # 240 / 1 200 of 5 shares
    assert_booked(result, [(1, Kind.FUNDING_SELL, 140.0), (1, Kind.FUNDING_SELL, 100.0), (1, Kind.WITHDRAWAL, -240.0)])


def test_nothing_is_sold_where_the_policy_is_none(engine):
    result = engine(monthly_panel(*RISE_OF_ONE), holding_rules(Shortfall.NONE, 240.0))

    assert_booked(result, [(1, Kind.SKIP_WITHDRAWAL, 0.0)])
    assert result.ledger["skipped_quantity"][-1] == 240


@pytest.mark.parametrize("policy", [Shortfall.OVERWEIGHT, Shortfall.PRO_RATA], ids=["overweight", "pro_rata"])
def test_asset_without_a_bar_counts_in_the_value_and_is_not_sold(engine, policy):
    # The second keeps its close of 100: worth 1 200, of which a fifth is due. Only the first can be sold, at 140.
    rules = holding_rules(policy, 0.0, withdrawal_share=0.2)
    result = engine(monthly_panel([100.0, 140.0], [100.0, np.nan]), rules)

    # Overweight takes 100 / 140 as excess and 140 / 140 for the rest; pro rata 240 / 140 at once.
    assert sum(-result.ledger["quantity"][2:-1]) == pytest.approx(240 / 140, rel=1e-12)
    assert set(result.ledger["asset"][2:-1]) == {0}
    assert result.daily["withdrawals"][1] == pytest.approx(240, rel=1e-12)


def test_pro_rata_raises_the_fees_of_its_sales_too(engine):
    # After fees of 20 each, 5 shares of each. 160 + 2 · 20 are a fifth of 1 000, and one share raises 100 - 20.
    rules = holding_rules(Shortfall.PRO_RATA, 160.0, capital=1_040.0, fee_fixed=20.0)
    result = engine(monthly_panel([100.0, 100.0], [100.0, 100.0]), rules)

    assert sold_shares(result) == [(0, 1.0), (1, 1.0)]
    assert_booked(result, [(1, Kind.FUNDING_SELL, 80.0), (1, Kind.FUNDING_SELL, 80.0), (1, Kind.WITHDRAWAL, -160.0)])


def test_overweight_raises_the_fee_of_its_sale_too(engine):
    # After fees of 20 each, 5 shares of each. Half of 1 200 is 600; of the excess of 100, 50 + 20 are needed.
    rules = holding_rules(Shortfall.OVERWEIGHT, 50.0, capital=1_040.0, fee_fixed=20.0)
    result = engine(monthly_panel(*RISE_OF_ONE), rules)

    assert sold_shares(result) == [(0, 0.5)]  # 70 / 140
    assert_booked(result, [(1, Kind.FUNDING_SELL, 50.0), (1, Kind.WITHDRAWAL, -50.0)])


def test_sale_that_raises_no_more_than_its_fee_is_left_out(engine):
    # After fees of 20 each, 5 shares of each, then worth 50 and 500. 15 + 2 · 20 are a tenth of that: half a share of
    # each, of which the first would raise 5. The second raises 15 with 0.35 of a share, and needs no more.
    rules = holding_rules(Shortfall.PRO_RATA, 15.0, capital=1_040.0, fee_fixed=20.0)
    result = engine(monthly_panel([100.0, 10.0], [100.0, 100.0]), rules)

    assert sold_shares(result) == [(1, 0.35)]
    assert_booked(result, [(1, Kind.FUNDING_SELL, 15.0), (1, Kind.WITHDRAWAL, -15.0)])


def test_whole_lots_pay_a_withdrawal_and_leave_what_they_raise_beyond_it(engine):
    rules = holding_rules(Shortfall.PRO_RATA, 250.0, lot_size=1.0)
    result = engine(monthly_panel([100.0, 100.0], [100.0, 100.0]), rules)

    # A quarter of 5 is 2 whole shares; of the other asset one more is enough.
    assert sold_shares(result) == [(0, 2.0), (1, 1.0)]
    assert result.ledger["amount"][-1] == pytest.approx(-250.0, rel=1e-12)
    assert result.daily["bank"][-1] == pytest.approx(50.0, rel=1e-12)


def test_withdrawals_smaller_than_a_share_of_each_asset_are_paid(engine):
    # Five assets at 500 in whole shares: rounded down, a fifth of 950 would be no share of any, and nothing be paid.
    rules = rules_of(
        assets=5,
        capital=150_000.0,
        lot_size=1.0,
        variant=Variant.NO_RULE,
        withdrawal=950.0,
        withdrawal_every=Every.MONTH,
        shortfall=Shortfall.PRO_RATA,
    )
    result = engine(monthly_panel(*[[500.0] * 21] * 5), rules)

    assert result.daily["withdrawals"].sum() == pytest.approx(19_000.0, rel=1e-12)
    assert result.daily["value"][-1] == pytest.approx(131_000.0, rel=1e-12)


@pytest.mark.parametrize("policy", list(Shortfall)[1:], ids=lambda policy: policy.name.lower())
def test_no_more_than_the_holding_is_sold_for_a_withdrawal(engine, policy):
    rules = holding_rules(policy, 5_000.0, lot_size=1.0)
    result = engine(monthly_panel([100.0, 100.0], [100.0, 100.0]), rules)

    assert sold_shares(result) == [(0, 5.0), (1, 5.0)]
    assert result.ledger["skipped_quantity"][-1] == pytest.approx(4_000.0, rel=1e-12)


# What sales for a withdrawal do to the rule: they take its lots, and leave its anchor. 1 000 in the bank and 10
# shares at 100; a fifth of them, 2, is bought at 80. The month begins with the third session.

DIP = {**FIFTHS, "capital": 2_000.0, "reserve": 0.5, "withdrawal_every": Every.MONTH, "shortfall": Shortfall.PRO_RATA}


def test_funding_takes_the_lots_first_and_the_rule_goes_on_from_its_own_anchor(engine):
    # Of 1 000 due, 840 are in the bank; 160 / 90 = 16/9 shares. The rung above the purchase at 80 is still 100.
    result = engine(one_new_month_panel([100.0, 80.0, 90.0, 100.0]), rules_of(**DIP, withdrawal=1_000.0))

    sale = (3, Kind.SELL, 0.16 * (12 - 16 / 9) * 100)
    assert_booked(result, [(1, Kind.BUY, -160.0), (2, Kind.FUNDING_SELL, 160.0), (2, Kind.WITHDRAWAL, -1_000.0), sale])
    funding = result.ledger[2]
    assert funding["premium"] == pytest.approx(-0.1, rel=1e-12)  # 90 against the highest close of 100
    assert funding["buyback_gain"] == pytest.approx(16 / 9 * (90 - 80), rel=1e-12)
    parts = result.lots[["lot", "opened", "closed", "quantity", "price", "sale_price"]].tolist()
    np.testing.assert_allclose(parts, [(1, 1, 2, 16 / 9, 80, 90), (1, 1, 3, 2 / 9, 80, 100)], rtol=1e-12)


def test_funding_does_not_end_the_episode_of_a_refused_buy(engine):
    # Nothing is in the bank for the 2 shares at 80. After the sale of 100 / 80 shares 1.75 would be wanted: old news.
    rules = rules_of(
        **FIFTHS, capital=1_000.0, withdrawal=100.0, withdrawal_every=Every.MONTH, shortfall=Shortfall.PRO_RATA
    )
    result = engine(one_new_month_panel([100.0, 80.0, 80.0, 80.0]), rules)

    withdrawal = [(2, Kind.FUNDING_SELL, 100.0), (2, Kind.WITHDRAWAL, -100.0)]
    assert_booked(result, [(1, Kind.SKIP_BUY, 0.0), *withdrawal])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Shortfall.NONE, [(2, Kind.SKIP_WITHDRAWAL, 0.0)]),
        (Shortfall.PRO_RATA, [(2, Kind.FUNDING_SELL, 260.0), (2, Kind.WITHDRAWAL, -100.0)]),
    ],
    ids=["none", "pro_rata"],
)
def test_withdrawal_never_comes_from_credit_and_its_funding_repays_it(engine, policy, expected):
    # The purchase at 80 leaves the bank at -160; 100 can only be paid once 260 have come in.
    rules = rules_of(
        **FIFTHS, capital=1_000.0, margin_limit=0.5, withdrawal=100.0, withdrawal_every=Every.MONTH, shortfall=policy
    )
    result = engine(one_new_month_panel([100.0, 80.0, 90.0, 90.0]), rules)

    assert_booked(result, [(1, Kind.BUY, -160.0), *expected])
    assert result.daily["bank"][-1] == pytest.approx(-160 + sum(amount for _, _, amount in expected), abs=1e-9)


# Coverage: the proceeds of the rule's trades, over all withdrawals scheduled so far.


def test_withdrawal_is_skipped_while_proceeds_cover_too_little_of_what_was_scheduled(engine):
    # 10 shares at 100 and 1 000 in the bank. The rung at 125 sells 16 %, for 200; the next at 156.25 sells 16 % of 8.4
    # for 210. 200 are due each month: 200 / 200 covers, 200 / 400 does not, 410 / 600 = 0.683 does, 410 / 800 does not.
    rules = rules_of(
        **FIFTHS, capital=2_000.0, reserve=0.5, withdrawal=200.0, withdrawal_every=Every.MONTH, coverage_min=0.6
    )
    result = engine(monthly_panel([100.0, 125.0, 125.0, 156.25, 156.25]), rules)

    paid, skipped = (Kind.WITHDRAWAL, -200.0), (Kind.SKIP_WITHDRAWAL, 0.0)
    sales = [(1, Kind.SELL, 200.0), (3, Kind.SELL, 210.0)]
    assert_booked(result, [sales[0], (1, *paid), (2, *skipped), sales[1], (3, *paid), (4, *skipped)])
    assert result.ledger["skipped_quantity"][[3, 6]].tolist() == [200.0, 200.0]
    assert result.daily["bank"][-1] == pytest.approx(1_000 + 200 + 210 - 2 * 200, rel=1e-12)


@pytest.mark.parametrize(
    ("proceeds", "last"),
    [(Proceeds.GROSS, (2, Kind.WITHDRAWAL, -100.0)), (Proceeds.NET, (2, Kind.SKIP_WITHDRAWAL, 0.0))],
    ids=["gross", "net"],
)
def test_net_proceeds_count_purchases_against_sales(engine, proceeds, last):
    # 2 bought at 80 for 160, 16 % of 12 sold at 100 for 192: of 200 scheduled, 0.96 before and 0.16 after purchases.
    rules = rules_of(
        **FIFTHS,
        capital=2_000.0,
        reserve=0.5,
        withdrawal=100.0,
        withdrawal_every=Every.MONTH,
        coverage_min=0.5,
        coverage_of=proceeds,
    )
    result = engine(monthly_panel([100.0, 80.0, 100.0]), rules)

    dip = [(1, Kind.BUY, -160.0), (1, Kind.SKIP_WITHDRAWAL, 0.0)]
    assert_booked(result, [*dip, (2, Kind.SELL, 192.0), last])


@pytest.mark.parametrize("policy", list(Shortfall), ids=lambda policy: policy.name.lower())
def test_nothing_is_sold_for_a_withdrawal_that_is_not_covered(engine, policy):
    result = engine(monthly_panel(*RISE_OF_ONE), holding_rules(policy, 240.0, coverage_min=0.01))

    assert_booked(result, [(1, Kind.SKIP_WITHDRAWAL, 0.0)])
    assert result.ledger["skipped_quantity"][-1] == 240


def test_sales_for_a_withdrawal_do_not_cover_the_next(engine):
    # 16 % of 10 shares, sold at 125, raise 200 of the 300 due; the other 100 are raised. Had they counted, 300 / 600
    # would do for the next; 200 / 600 does not.
    rules = rules_of(
        **FIFTHS,
        capital=1_000.0,
        withdrawal=300.0,
        withdrawal_every=Every.MONTH,
        coverage_min=0.4,
        shortfall=Shortfall.PRO_RATA,
    )
    result = engine(monthly_panel([100.0, 125.0, 125.0]), rules)

    first = [(1, Kind.SELL, 200.0), (1, Kind.FUNDING_SELL, 100.0), (1, Kind.WITHDRAWAL, -300.0)]
    assert_booked(result, [*first, (2, Kind.SKIP_WITHDRAWAL, 0.0)])


# Lump sums. The panel has the days 28 and 29 January, a Thursday and a Friday, and 1 and 2 February.


@pytest.mark.parametrize(
    ("date", "session"),
    [
        ("2021-01-29", 1),
        ("2021-01-30", 2),  # a Saturday
        ("2021-01-31", 2),
        ("2021-02-02", 3),
        ("2021-01-20", 1),  # before the first session, on which no money moves
        ("2021-01-28", 1),
    ],
)
def test_lump_sum_moves_on_its_date_or_the_next_session(engine, date, session):
    flat = one_new_month_panel([100.0] * 4)
    paid_in = engine(flat, rules_of(capital=1_000.0, deposits_on=((date, 70.0),), deposit_invest=False))
    assert_booked(paid_in, [(session, Kind.DEPOSIT, 70.0)])
    paid_out = engine(flat, rules_of(capital=1_000.0, reserve=0.5, withdrawals_on=((date, 70.0),)))
    assert_booked(paid_out, [(session, Kind.WITHDRAWAL, -70.0)])
    assert paid_out.daily["withdrawals"].tolist() == [70.0 * (day == session) for day in range(4)]


def test_lump_sum_after_the_last_session_is_still_to_come(engine):
    later = (("2021-02-03", 70.0),)
    rules = rules_of(capital=1_000.0, reserve=0.5, deposits_on=later, withdrawals_on=later)
    assert_booked(engine(one_new_month_panel([100.0] * 4), rules), [])


def test_lump_sums_of_a_session_are_one_row_with_what_the_period_asks(engine):
    rules = rules_of(
        capital=1_000.0,
        reserve=0.5,
        deposit=10.0,
        deposit_every=Every.MONTH,
        deposits_on=(("2021-01-30", 1.0), ("2021-02-01", 2.0)),
        deposit_invest=False,
        withdrawal=100.0,
        withdrawal_every=Every.MONTH,
        withdrawals_on=(("2021-01-31", 4.0),),
    )
    result = engine(one_new_month_panel([100.0] * 4), rules)
    assert_booked(result, [(2, Kind.DEPOSIT, 13.0), (2, Kind.WITHDRAWAL, -104.0)])


def test_lump_sum_is_invested_as_the_capital_was_and_sold_for_as_a_period_is(engine):
    rules = rules_of(
        capital=1_000.0,
        reserve=0.2,
        deposits_on=(("2021-01-29", 50.0),),
        withdrawals_on=(("2021-02-01", 310.0),),
        shortfall=Shortfall.PRO_RATA,
    )
    # 40 of 50 buy 0.4 shares of 100; then the bank holds 210, and one share is sold for the rest.
    expected = [
        (1, Kind.DEPOSIT, 50.0),
        (1, Kind.DEPOSIT_BUY, -40.0),
        (2, Kind.FUNDING_SELL, 100.0),
        (2, Kind.WITHDRAWAL, -310.0),
    ]
    assert_booked(engine(one_new_month_panel([100.0] * 4), rules), expected)


def test_lump_sum_is_not_indexed_and_counts_as_scheduled_for_coverage(engine):
    panel = dataclasses.replace(one_new_month_panel([100.0] * 4), price_index=np.array([1.0, 1.0, 2.0, 2.0]))
    sums = (("2021-02-01", 30.0),)
    rules = rules_of(
        capital=1_000.0, reserve=0.5, withdrawal=100.0, withdrawal_every=Every.MONTH, withdrawals_on=sums, indexed=True
    )
    assert_booked(engine(panel, rules), [(2, Kind.WITHDRAWAL, -230.0)])
    uncovered = dataclasses.replace(rules, coverage_min=0.1)
    assert engine(panel, uncovered).ledger["skipped_quantity"][-1] == 230.0
