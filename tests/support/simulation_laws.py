"""The laws that every simulation keeps, whatever its rules and prices: asserted on the rows of one scenario.

Laws of the rule, of cash, lots and withdrawals belong here; those of portfolio rules in ``portfolio_laws``.
"""

import numpy as np
import pytest

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import (
    NO_SUBSTITUTE,
    Every,
    LotOrder,
    LumpSums,
    Path,
    Proceeds,
    Rules,
    Shortfall,
    Sizing,
    Variant,
    Width,
)
from sd_core.simulation.taxes.lots import tax_lots
from support.closeness import assert_close
from support.ledger_readings import (
    ARRIVED,
    are,
    held_by_session,
    last_closes,
    lots_by_session,
    periods_begun,
    replay,
    returns,
    states,
)

MONEY_TOLERANCE = 1e-6
WEIGHT_TOLERANCE = 1e-9

# A bank of this size that is spent to the last keeps so much by rounding that its interest may be booked, or not. What
# grows beyond it, by luck of the draw, is held to the laws alone.
TOO_RICH_TO_COMPARE = 1e9

SALES = [Kind.SELL, Kind.FUNDING_SELL, Kind.REBALANCE_SELL, Kind.PROFIT_SELL, Kind.HARVEST_SELL]
ON_THE_PATH = [Kind.BUY, Kind.SELL, Kind.SKIP_BUY, Kind.SKIP_SELL]
TRANSFERS = [Kind.TRANSFER_IN, Kind.TRANSFER_OUT]
WITHOUT_CREDIT = [
    Kind.INITIAL_BUY,
    *ARRIVED,
    Kind.REBALANCE_BUY,
    Kind.DEPLOY_BUY,
    Kind.HARVEST_BUY,
    Kind.WITHDRAWAL,
    Kind.TRANSFER_OUT,
]


def dust(panel: Panel, ledger: Rows) -> np.ndarray:
    """Return what rounding may leave of each asset, in shares: holdings can be sold to the last."""
    return 1e-12 * (1 + held_by_session(panel, ledger).max(axis=0))


def is_compared(result: SimulationResult) -> bool:
    """Return whether the two engines are compared row by row on a scenario, and not by the laws alone."""
    return bool(result.daily["value"].max() <= TOO_RICH_TO_COMPARE)


def assert_same_money(found: np.ndarray, expected: np.ndarray) -> None:
    # The relative part is for the drawn portfolios that grow beyond what doubles resolve to a millionth.
    assert_close(found, expected, rtol=1e-12, atol=MONEY_TOLERANCE)


def assert_bank_is_the_sum_of_the_ledger(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    ledger, daily = result.ledger, result.daily
    amounts = np.bincount(ledger["session"], weights=ledger["amount"], minlength=len(panel.sessions))
    tolerance = {"rtol": 1e-12, "atol": rounding_of_the_bank(ledger)}
    assert_close(daily["bank"], rules.capital + amounts.cumsum(), **tolerance)
    came = daily["income"] + daily["sells"] + daily["deposits"]
    went = daily["buys"] + daily["withdrawals"]
    assert_close(np.diff(daily["bank"], prepend=rules.capital), came - went, **tolerance)


def rounding_of_the_bank(ledger: Rows) -> float:
    """Return what a bank near 0 may be off: it may be left of sums that doubles do not resolve to a millionth."""
    return float(MONEY_TOLERANCE + 1e-14 * np.abs(ledger["amount"]).sum())


def assert_money_spent_was_there(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    """Hold the bank to 0, or a rule buy to its credit, and each refusal to what was missing."""
    ledger, daily = result.ledger, result.daily
    unlent = ledger if rules.margin_limit == 0 else ledger[are(ledger["kind"], *WITHOUT_CREDIT)]
    assert (unlent["bank_after"] >= -rounding_of_the_bank(ledger)).all()

    credit = rules.margin_limit * daily["value"]
    bought, refused = (ledger[ledger["kind"] == kind] for kind in (Kind.BUY, Kind.SKIP_BUY))
    rounding = MONEY_TOLERANCE + 1e-12 * np.abs(daily["value"])
    before = bought["session"] - 1
    assert (bought["bank_after"] + credit[before] >= -rounding[before]).all()
    before = refused["session"] - 1
    cost = rules.fee_fixed + (1 + rules.fee_rate) * refused["skipped_quantity"] * refused["price"]
    is_missing = cost > refused["bank_after"] + credit[before] - rounding[before]
    weights = weights_after(panel, rules, result, Kind.SKIP_BUY)
    _, upper = band_edges(panel, rules, ledger, after=0)
    above = weights > upper[before, refused["asset"]] - WEIGHT_TOLERANCE
    assert (is_missing | (above & rules.banded)).all()


def assert_what_arrived_is_invested(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    """Hold purchases to the dividends, or the share of the deposit, that they are for: all of it but parts of lots."""
    ledger, lot = result.ledger, rules.lot_sizes
    paid = ledger[ledger["kind"] == Kind.DIVIDEND]
    dividends = {(row["session"], row["asset"]): row["amount"] for row in paid}
    targets = targets_by_session(panel, rules, ledger)
    for kind, asked in ((Kind.DIVIDEND_BUY, rules.reinvest), (Kind.DEPOSIT_BUY, rules.deposit_invest)):
        bought = ledger[ledger["kind"] == kind]
        assert asked or not len(bought)
        for row in bought:
            session, asset = row["session"], row["asset"]
            share = (1 - rules.reserve) * targets[session, asset]
            due = dividends[session, asset] if kind == Kind.DIVIDEND_BUY else share * result.daily["deposits"][session]
            assert row["price"] == panel.close[session, asset]
            assert -row["amount"] <= due + MONEY_TOLERANCE
            # What is missing is less than a lot, or was not in the bank any more.
            is_whole = -row["amount"] >= due - lot[asset] * row["price"] * (1 + rules.fee_rate) - MONEY_TOLERANCE
            assert is_whole or row["bank_after"] <= lot[asset] * row["price"] * (1 + rules.fee_rate) + MONEY_TOLERANCE


def assert_bands_hold_what_the_rule_trades(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    """Hold every trade of the rule to the side of the band, that of the close before, to which it moves the weight."""
    ledger = result.ledger
    for kind in (Kind.BUY, Kind.SELL, Kind.SKIP_SELL):
        rows = ledger[ledger["kind"] == kind]
        lower, upper = (edge[rows["session"] - 1, rows["asset"]] for edge in band_edges(panel, rules, ledger, after=0))
        weights = weights_after(panel, rules, result, kind)
        match kind:
            case Kind.BUY:
                assert (weights <= upper + WEIGHT_TOLERANCE).all()
            case Kind.SELL:
                assert (weights >= lower - WEIGHT_TOLERANCE).all()
            case Kind.SKIP_SELL:
                assert (weights < lower + WEIGHT_TOLERANCE).all()


def targets_by_session(panel: Panel, rules: Rules, ledger: Rows | None = None, *, after: int = 1) -> Floats:
    """Return the targets in force from each close on, shape (sessions, assets).

    With a ledger they are swapped between substitutes from so many sessions ``after`` that of a harvested loss on: at
    its close, harvesting comes after most.
    """
    # Rows are in the order of their sessions; the first holds before its own, too.
    begun = (rules.targets.sessions <= panel.sessions[:, np.newaxis]).sum(axis=1)
    targets = rules.targets.weights[np.maximum(begun - 1, 0)]
    if ledger is not None and rules.substitutes:
        for row in ledger[ledger["kind"] == Kind.HARVEST_SELL]:
            asset, other = row["asset"], rules.substitutes[row["asset"]]
            if other != NO_SUBSTITUTE:
                rest = targets[row["session"] + after :]
                rest[:, [asset, other]] = rest[:, [other, asset]]
    return targets


def blocked_by_session(panel: Panel, ledger: Rows) -> np.ndarray:
    """Return which assets nothing may buy at each close: until 30 days after they were harvested."""
    blocked = np.zeros(panel.close.shape, dtype=bool)
    for row in ledger[ledger["kind"] == Kind.HARVEST_SELL]:
        since = panel.sessions - panel.sessions[row["session"]]
        blocked[:, row["asset"]] |= (since > np.timedelta64(0, "D")) & (since <= np.timedelta64(30, "D"))
    return blocked


def band_edges(panel: Panel, rules: Rules, ledger: Rows, *, after: int = 1) -> tuple[Floats, Floats]:
    """Return the lowest and the highest weight of each asset from each close on, shape (sessions, assets).

    ``after`` is that of :func:`targets_by_session`.
    """
    targets = targets_by_session(panel, rules, ledger, after=after)
    lower, upper = np.zeros_like(targets), np.full_like(targets, np.inf)
    if np.isfinite(rules.band):
        reach = rules.band * (targets if rules.band_width is Width.RELATIVE else 1.0)
        lower, upper = np.maximum(targets - reach, 0), targets + reach
    if rules.band_edges is not None:
        own_lower, own_upper = rules.band_edges.T
        lower = np.where(np.isnan(own_lower), lower, own_lower)
        upper = np.where(np.isnan(own_upper), upper, own_upper)
    return lower, upper


def weights_after(panel: Panel, rules: Rules, result: SimulationResult, kind: Kind) -> np.ndarray:
    """Return what each asset traded weighs at the price of the trade, made or not, with the value of the close before.

    A portfolio worth nothing has no room: the weight is then infinite.
    """
    rows = np.flatnonzero(result.ledger["kind"] == kind)
    trades = result.ledger[rows]
    wanted = np.where(np.isnan(trades["quantity"]), trades["skipped_quantity"], trades["quantity"])
    held = states(panel, result.ledger).held[rows, trades["asset"]]
    held += np.where(kind is Kind.SKIP_SELL, -wanted, wanted)
    room = (1 - rules.reserve) * result.daily["value"][trades["session"] - 1]
    return np.where(room > 0, held * trades["price"] / np.where(room > 0, room, 1.0), np.inf)


def assert_refusals_move_nothing(ledger: Rows) -> None:
    refused = ledger[are(ledger["kind"], Kind.SKIP_BUY, Kind.SKIP_SELL)]
    assert np.isnan(refused["quantity"]).all()
    assert (refused["skipped_quantity"] > 0).all()
    assert (refused["amount"] == 0).all()
    assert (refused["fee"] == 0).all()


def assert_rungs_are_as_large_as_the_rule_says(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    """Hold each purchase to its share of the holdings, less where cash was low, and each sale by gain likewise."""
    if rules.adaptive_bracket:
        return
    ledger, daily = result.ledger, result.daily
    held = states(panel, ledger).held
    cash = daily["bank"] / np.where(daily["value"] > 0, daily["value"], np.inf)
    for kind in ON_THE_PATH if rules.sizing is Sizing.GAIN_SHARE else (Kind.BUY, Kind.SKIP_BUY):
        rows = np.flatnonzero(ledger["kind"] == kind)
        trades = ledger[rows]
        asset = trades["asset"]
        full = held[rows, asset] * (rules.brackets * rules.profit_shares)[asset]
        if kind in (Kind.SELL, Kind.SKIP_SELL):
            full /= 1 + rules.brackets[asset]
        elif rules.cash_low:
            full *= np.clip(cash[trades["session"] - 1] / rules.cash_low, 0, 1)
        found = np.where(np.isnan(trades["quantity"]), trades["skipped_quantity"], np.abs(trades["quantity"]))
        cut_by_lots, lot = full - found, rules.lot_sizes[asset]
        assert (cut_by_lots >= -1e-9 * (full + lot)).all()
        assert (cut_by_lots <= lot + 1e-9 * (full + lot)).all()


def assert_nothing_is_bought_while_the_stop_holds(rules: Rules, result: SimulationResult) -> None:
    bought = are(result.ledger["kind"], Kind.BUY, Kind.SKIP_BUY)
    assert not halted(rules, result.daily)[result.ledger["session"][bought]].any()


def halted(rules: Rules, daily: Rows) -> np.ndarray:
    """Return in which sessions a drawdown has stopped the rule's purchases."""
    index = np.append(1.0, np.cumprod(1 + returns(rules.capital, daily)))
    stopped = np.zeros(len(daily) + 1, dtype=bool)
    counted_from = 0
    for now in range(1, len(index)):
        seen = index[counted_from : now + 1]
        peak, lowest_since = seen.max(), seen[seen.argmax() :].min()
        if not stopped[now - 1]:
            stopped[now] = seen[-1] < peak * (1 - rules.stop)
        elif seen[-1] < (lowest_since + peak) / 2:
            stopped[now] = True
        else:
            counted_from = now
    # Entry ``now`` was decided at the close of session ``now - 1`` and holds from the next on.
    return stopped[:-1]


def assert_interest_is_the_bank_times_its_rate(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    kept = result.daily["bank"][:-1]
    rates = np.where(kept < 0, rules.margin_rate, panel.rates[:-1])
    booked = result.ledger[result.ledger["kind"] == Kind.INTEREST]
    paid = np.bincount(booked["session"], weights=booked["amount"], minlength=len(panel.sessions))[1:]
    assert_same_money(paid, kept * rates * np.diff(panel.sessions).astype(int) / 365)


def assert_value_is_the_bank_and_the_holdings(panel: Panel, result: SimulationResult) -> None:
    daily, held = result.daily, held_by_session(panel, result.ledger)
    assert (held >= -dust(panel, result.ledger)).all()
    invested = (held * last_closes(panel)).sum(axis=1)
    highest = np.fmax.accumulate(panel.close, axis=0)
    assert_same_money(daily["invested"], invested)
    assert_same_money(daily["value"], daily["bank"] + invested)
    assert_same_money(daily["nav_value"], (held * highest).sum(axis=1))


def assert_lots_are_the_purchases_of_the_rule(panel: Panel, result: SimulationResult) -> None:
    ledger, lots = result.ledger, result.lots
    bought, sold = ledger[ledger["kind"] == Kind.BUY], ledger[are(ledger["kind"], *SALES)]
    assert (lots["quantity"] > 0).all()
    np.testing.assert_array_equal(np.unique(lots["lot"]), np.arange(1, len(bought) + 1))
    parts = np.bincount(lots["lot"], weights=lots["quantity"], minlength=len(bought) + 1)[1:]
    assert_close(parts, bought["quantity"], rtol=1e-9)
    for column, entry in (("asset", "asset"), ("opened", "session"), ("price", "price"), ("premium", "premium")):
        np.testing.assert_array_equal(lots[column], bought[entry][lots["lot"] - 1], err_msg=column)
    gains = lots["quantity"] * (lots["sale_price"] - lots["price"])
    assert np.nansum(gains) == pytest.approx(sold["buyback_gain"].sum(), rel=1e-9, abs=MONEY_TOLERANCE)

    held = held_by_session(panel, ledger)
    in_lots = lots_by_session(panel, lots)
    assert (in_lots >= -1e-9 * held - dust(panel, ledger)).all()
    assert (in_lots <= held * (1 + 1e-9) + dust(panel, ledger)).all()


def assert_oldest_lots_are_sold_first(lots: Rows) -> None:
    for asset in np.unique(lots["asset"]):
        # A lot's number is its age; those still open are last.
        assert (np.diff(lots["lot"][lots["asset"] == asset]) >= 0).all()


def assert_nothing_is_sold_below_the_highest_close(ledger: Rows) -> None:
    assert (ledger["premium"][ledger["kind"] == Kind.SELL] >= -1e-11).all()


def assert_fills_lie_in_their_bars(panel: Panel, rules: Rules, ledger: Rows) -> None:
    at_the_close = ledger[(ledger["leg"] == 4) & (ledger["asset"] >= 0)]
    np.testing.assert_array_equal(at_the_close["price"], panel.close[at_the_close["session"], at_the_close["asset"]])
    by_rule = ledger[are(ledger["kind"], *ON_THE_PATH)]
    assert (by_rule["session"] > 0).all()
    bar = (by_rule["session"], by_rule["asset"])
    assert (by_rule["price"] >= panel.low[bar] * (1 - 1e-9)).all()
    assert (by_rule["price"] <= panel.high[bar] * (1 + 1e-9)).all()
    jumps = by_rule["leg"] == 0
    first_stop = panel.close if rules.path is Path.CLOSE_ONLY else panel.open
    np.testing.assert_array_equal(by_rule["price"][jumps], first_stop[bar][jumps])


def assert_sales_settle_before_purchases(ledger: Rows) -> None:
    on_the_path = ledger[(ledger["leg"] >= 0) & (ledger["leg"] <= 3)]
    same_leg = np.diff(on_the_path["session"] * 4 + on_the_path["leg"]) == 0
    is_sale = are(on_the_path["kind"], Kind.SELL, Kind.SKIP_SELL)
    assert not (same_leg & ~is_sale[:-1] & is_sale[1:]).any()


def asked_for(ledger: Rows) -> Rows:
    """Return the rows of withdrawals, paid or not."""
    return ledger[are(ledger["kind"], Kind.WITHDRAWAL, Kind.SKIP_WITHDRAWAL)]


def dues(ledger: Rows) -> np.ndarray:
    """Return what each withdrawal was to be: what was paid and what was not."""
    asked = asked_for(ledger)
    return np.nan_to_num(asked["skipped_quantity"]) - asked["amount"]


def coverage_surplus(rules: Rules, ledger: Rows) -> np.ndarray:
    """Return by how much the proceeds exceed their minimum at each withdrawal, in the study's currency."""
    sold, bought = ledger["kind"] == Kind.SELL, ledger["kind"] == Kind.BUY
    if rules.coverage_of is Proceeds.GROSS:
        proceeds = np.where(sold, -ledger["quantity"] * ledger["price"], 0).cumsum()
    else:
        proceeds = np.where(sold | bought, ledger["amount"], 0).cumsum()
    asked = are(ledger["kind"], Kind.WITHDRAWAL, Kind.SKIP_WITHDRAWAL)
    return proceeds[asked] - rules.coverage_min * dues(ledger).cumsum()


def lump_sums(panel: Panel, dated: LumpSums) -> np.ndarray:
    """Return by session what falls due of dated sums: cumulated by date, and read at each session but the first."""
    until = [sum(amount for date, amount in dated if np.datetime64(date) <= session) for session in panel.sessions]
    return np.diff([0.0, 0.0, *until[1:]])


def assert_deposits_are_those_scheduled(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    expected = periods_begun(panel, rules.deposit_every) * rules.deposit + lump_sums(panel, rules.deposits_on)
    moved = result.ledger[are(result.ledger["kind"], *TRANSFERS)]
    on_balance = np.bincount(moved["session"], weights=moved["amount"], minlength=len(panel.sessions))
    assert_same_money(result.daily["deposits"], expected + on_balance)


def assert_each_period_pays_or_skips_what_is_due(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    ledger, daily, asked = result.ledger, result.daily, asked_for(result.ledger)
    assert (asked["amount"] <= 0).all()
    assert (daily["withdrawals"] >= 0).all()
    assert (np.diff(asked["session"]) > 0).all()
    length = len(panel.sessions)
    assert_same_money(daily["withdrawals"], np.bincount(asked["session"], weights=-asked["amount"], minlength=length))

    # Sales at the close cost the portfolio their fees alone.
    funding = ledger[ledger["kind"] == Kind.FUNDING_SELL]
    fees = np.bincount(funding["session"], weights=funding["fee"], minlength=length)
    before = daily["value"] + daily["withdrawals"] + fees
    level = panel.price_index / panel.price_index[0] if rules.indexed and panel.price_index is not None else 1.0
    due = np.maximum(rules.withdrawal * level + rules.withdrawal_share * before, 0)
    found = np.bincount(asked["session"], weights=dues(ledger), minlength=length)
    periodic = periods_begun(panel, rules.withdrawal_every) * due
    assert_same_money(found, periodic + lump_sums(panel, rules.withdrawals_on))


def assert_withdrawals_are_skipped_below_their_coverage(rules: Rules, ledger: Rows) -> None:
    asked, funded = asked_for(ledger), ledger["session"][ledger["kind"] == Kind.FUNDING_SELL]
    surplus = coverage_surplus(rules, ledger) if rules.coverage_min else np.full(len(asked), np.inf)
    rounding = MONEY_TOLERANCE + 1e-12 * np.abs(dues(ledger).cumsum())
    refused = asked[surplus < -rounding]
    assert (refused["kind"] == Kind.SKIP_WITHDRAWAL).all()
    assert not np.isin(refused["session"], funded).any()
    # Where coverage suffices, whatever is not paid was not there.
    cut = (surplus > rounding) & (asked["skipped_quantity"] > MONEY_TOLERANCE)
    assert (asked["bank_after"][cut] <= MONEY_TOLERANCE).all()


def assert_funding_sells_for_no_more_than_the_withdrawal(panel: Panel, rules: Rules, ledger: Rows) -> None:
    funding = ledger[ledger["kind"] == Kind.FUNDING_SELL]
    assert len(funding) == 0 or rules.shortfall is not Shortfall.NONE
    assert (funding["leg"] == 4).all()
    np.testing.assert_array_equal(funding["price"], panel.close[funding["session"], funding["asset"]])
    asked = asked_for(ledger)
    after = asked[np.isin(asked["session"], funding["session"])]
    assert len(after) == len(np.unique(funding["session"]))
    # Fees are raised for every asset, also for those whose sale turns out not to be worth one; and lots are whole.
    lots = np.bincount(
        funding["session"],
        weights=rules.lot_sizes[funding["asset"]] * funding["price"],
        minlength=len(panel.sessions),
    )
    surplus = len(panel.tickers) * rules.fee_fixed + lots[after["session"]]
    assert (after["bank_after"] <= surplus + MONEY_TOLERANCE).all()


def assert_smallest_gains_are_sold_first(panel: Panel, rules: Rules, ledger: Rows) -> None:
    """Hold sales for a withdrawal to the order of their gains over the average cost."""
    held, cost = np.zeros(len(panel.tickers)), np.zeros(len(panel.tickers))
    last_session, last_gain = -1, -np.inf
    for row in ledger[~np.isnan(ledger["quantity"])]:
        asset, quantity = row["asset"], row["quantity"]
        if row["kind"] == Kind.FUNDING_SELL:
            gain = 1 - cost[asset] / held[asset] / row["price"]
            assert gain >= last_gain - 1e-9 or row["session"] != last_session
            last_session, last_gain = row["session"], gain
        cost[asset] += -row["amount"] if quantity > 0 else cost[asset] * quantity / held[asset]
        held[asset] += quantity


def assert_losses_are_harvested_whole_and_not_replaced(panel: Panel, rules: Rules, ledger: Rows) -> None:
    """Hold harvested losses to their size, sales to the whole holding, and purchases to the days when they may be."""
    held, cost = np.zeros(len(panel.tickers)), np.zeros(len(panel.tickers))
    first_of_period = periods_begun(panel, rules.harvest_every) > 0
    blocked = blocked_by_session(panel, ledger)
    for row in ledger[~np.isnan(ledger["quantity"])]:
        asset, quantity = row["asset"], row["quantity"]
        if row["kind"] == Kind.HARVEST_SELL:
            assert -quantity == pytest.approx(held[asset], rel=1e-9)
            assert first_of_period[row["session"]]
            assert row["price"] * held[asset] < cost[asset] * (1 - rules.harvest_loss) * (1 + 1e-9)
            assert cost[asset] - row["amount"] >= rules.harvest_min * (1 - 1e-9) - MONEY_TOLERANCE
        assert quantity < 0 or not blocked[row["session"], asset]
        cost[asset] += -row["amount"] if quantity > 0 else cost[asset] * quantity / held[asset]
        held[asset] += quantity
        if row["kind"] == Kind.HARVEST_SELL:
            held[asset] = cost[asset] = 0.0
    lots = tax_lots(ledger, panel.sessions, rules.lot_order, len(panel.tickers))
    harvested = np.flatnonzero(ledger["kind"] == Kind.HARVEST_SELL) + 1
    assert (lots["wash_sale_disallowed"][np.isin(lots["sale"], harvested)] == 0).all()


def assert_ledger_alone_gives_the_portfolio(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    replayed = replay(panel, rules.capital, rules.lot_order, result.ledger)
    assert_same_money(result.daily["bank"], replayed.bank)
    assert_same_money(result.daily["value"], replayed.value)
    held = held_by_session(panel, result.ledger)
    assert_same_money(held, replayed.held)
    # A lot and a sale that differ by a relative 1e-9 count as equal, so that much may be open on paper alone.
    assert_close(
        lots_by_session(panel, result.lots), replayed.in_lots, rtol=1e-9, atol=MONEY_TOLERANCE + 1e-9 * held.max()
    )


def assert_laws(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    """Hold one scenario's rows to every law of the rule, of cash, of lots and of withdrawals."""
    assert_bank_is_the_sum_of_the_ledger(panel, rules, result)
    assert_money_spent_was_there(panel, rules, result)
    assert_interest_is_the_bank_times_its_rate(panel, rules, result)
    assert_value_is_the_bank_and_the_holdings(panel, result)
    assert_ledger_alone_gives_the_portfolio(panel, rules, result)
    assert_lots_are_the_purchases_of_the_rule(panel, result)
    assert_fills_lie_in_their_bars(panel, rules, result.ledger)
    assert_sales_settle_before_purchases(result.ledger)
    assert_refusals_move_nothing(result.ledger)
    assert_rungs_are_as_large_as_the_rule_says(panel, rules, result)
    assert_deposits_are_those_scheduled(panel, rules, result)
    assert_what_arrived_is_invested(panel, rules, result)
    assert_each_period_pays_or_skips_what_is_due(panel, rules, result)
    assert_withdrawals_are_skipped_below_their_coverage(rules, result.ledger)
    assert_funding_sells_for_no_more_than_the_withdrawal(panel, rules, result.ledger)
    if rules.lot_order is LotOrder.FIFO:
        assert_oldest_lots_are_sold_first(result.lots)
    if rules.variant is Variant.ATH_SELL:
        assert_nothing_is_sold_below_the_highest_close(result.ledger)
    if rules.banded:
        assert_bands_hold_what_the_rule_trades(panel, rules, result)
    else:
        assert not (result.ledger["kind"] == Kind.SKIP_SELL).any()
    if rules.stop < np.inf:
        assert_nothing_is_bought_while_the_stop_holds(rules, result)
    if rules.harvest_every is not Every.NEVER:
        assert_losses_are_harvested_whole_and_not_replaced(panel, rules, result.ledger)
    if rules.shortfall is Shortfall.LOWEST_TAX:
        assert_smallest_gains_are_sold_first(panel, rules, result.ledger)
