"""The laws of what trades at the close: rebalancing, taking profit, the premium spread and the deployment of cash.

Weights, triggers and the state before a trade are computed here from the rows and the panel alone.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Every, Rules, Width
from support.ledger_readings import States, after_the_path, are, begins, bought_back, returns, states
from support.simulation_laws import (
    MONEY_TOLERANCE,
    WEIGHT_TOLERANCE,
    band_edges,
    blocked_by_session,
    targets_by_session,
)

REBALANCING = [Kind.REBALANCE_SELL, Kind.REBALANCE_BUY]
PORTFOLIO_TRADES = [*REBALANCING, Kind.PROFIT_SELL, Kind.DEPLOY_BUY, Kind.HARVEST_SELL, Kind.HARVEST_BUY]


def assert_portfolio_laws(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    """Hold one scenario's rows to every law of its portfolio rules."""
    ledger = result.ledger
    before = states(panel, ledger)
    spread = of_the_spread(panel, rules, ledger, before)
    assert_portfolio_trades_are_worth_making(rules, ledger, before)
    assert_steps_follow_each_other(rules, ledger, spread)
    rebalanced = are(ledger["kind"], *REBALANCING) & ~spread
    if rules.banded or has_trigger(rules):
        margin = trigger_margin(panel, rules, result)
        assert_rebalancing_goes_towards_the_target(panel, rules, result, before, margin, np.flatnonzero(rebalanced))
        assert_rebalancing_has_a_trigger(panel, rules, margin, result.ledger, ledger[rebalanced])
    else:
        assert not rebalanced.any()
        assert_spread_trades_a_rung_of_the_dearest_for_the_cheapest(panel, rules, ledger, before)
    assert_profit_is_taken_above_the_drift_alone(panel, rules, ledger, before)
    assert_cash_is_deployed_above_its_threshold_alone(panel, rules, ledger, before)


def has_trigger(rules: Rules) -> bool:
    """Return whether something may trigger a rebalancing."""
    measured = np.isfinite([rules.deviation, rules.volatility]).any()
    return bool(measured or rules.rebalance_on_change or rules.rebalance_every is not Every.NEVER)


def assert_portfolio_trades_are_worth_making(rules: Rules, ledger: Rows, before: States) -> None:
    trades = are(ledger["kind"], *PORTFOLIO_TRADES) & ~bought_back(ledger)
    made = ledger[trades]
    assert (made["leg"] == 4).all()
    assert (made["session"] > 0).all()
    traded = np.abs(made["quantity"]) * made["price"]
    # A step looks at the value that it begins with; the fees of its first trades may use that up.
    fees = np.bincount(made["session"], weights=made["fee"], minlength=len(ledger) and int(ledger["session"].max()) + 1)
    assert (before.value[trades] + fees[made["session"]] > 0).all()
    assert (traded >= rules.min_trade * (1 - 1e-12)).all()
    assert (made["fee"] <= rules.max_cost * traded * (1 + 1e-12)).all()
    assert (made["amount"][made["quantity"] < 0] > 0).all()


def assert_steps_follow_each_other(rules: Rules, ledger: Rows, spread: np.ndarray) -> None:
    """Hold each close to its order: what arrived, rebalancing, profit, the spread, cash, withdrawals; sales first."""
    order = {
        Kind.DIVIDEND_BUY: -3,
        Kind.DEPOSIT_BUY: -2,
        # What has waited is bought back before the portfolio rules, a substitute after the sale.
        Kind.HARVEST_BUY: -1,
        Kind.REBALANCE_SELL: 0,
        # What has waited trades before others return to their bands.
        Kind.REBALANCE_BUY: 0 if waits_beside_bands(rules) else 1,
        Kind.PROFIT_SELL: 2,
        Kind.DEPLOY_BUY: 5,
        Kind.HARVEST_SELL: 6,
        Kind.FUNDING_SELL: 7,
        Kind.WITHDRAWAL: 8,
        Kind.SKIP_WITHDRAWAL: 8,
    }
    closing = (ledger["leg"] == 4) & (ledger["session"] > 0)
    step = np.array([order[kind] for kind in ledger["kind"][closing]], dtype=int) + 3 * spread[closing]
    step[((ledger["kind"] == Kind.HARVEST_BUY) & ~bought_back(ledger))[closing]] = order[Kind.HARVEST_SELL]
    assert (np.diff(ledger["session"][closing] * 20 + step) >= 0).all()


def assert_rebalancing_goes_towards_the_target(
    panel: Panel, rules: Rules, result: SimulationResult, before: States, margin: Floats, rows: np.ndarray
) -> None:
    """Hold each trade to the near side of its target or its band, and purchases to the cash above the reserve."""
    trades = result.ledger[rows]
    asset, sale = trades["asset"], trades["quantity"] < 0
    value = after_the_path(panel, rules.capital, result)[0][trades["session"]]
    room = (1 - rules.reserve) * value
    held = before.held[rows, asset]
    weight_before, weight_after = held * trades["price"] / room, (held + trades["quantity"]) * trades["price"] / room
    lower, upper = (edge[trades["session"], asset] for edge in edges_of_rebalancing(panel, rules, result, margin))
    slack = weight_slack(rules, trades, room)
    if waits_beside_bands(rules):
        # The fees of what has waited are gone when the others return to their bands.
        slack += np.bincount(trades["session"], weights=trades["fee"], minlength=1)[trades["session"]] / room
    assert (weight_before > upper - slack)[sale].all()
    assert (weight_after >= upper - slack)[sale].all()
    assert (weight_before < lower + slack)[~sale].all()
    assert (weight_after <= lower + slack)[~sale].all()
    assert (trades["bank_after"] >= rules.reserve * value - MONEY_TOLERANCE - slack * room)[~sale].all()
    each_once = np.unique(trades[["session", "asset"]])
    assert len(each_once) == len(trades) or waits_beside_bands(rules)


def waits_beside_bands(rules: Rules) -> bool:
    """Return whether trades that have waited and returns to bands may share a close."""
    return bool(rules.patience and rules.banded)


def edges_of_rebalancing(panel: Panel, rules: Rules, result: SimulationResult, margin: Floats) -> tuple[Floats, Floats]:
    """Return the weights that rebalancing goes to from below and from above: targets on a trigger, else the bands.

    Where rounding may decide whether a trigger holds, that is the nearer of the two.
    """
    targets, (lower, upper) = targets_by_session(panel, rules, result.ledger), band_edges(panel, rules, result.ledger)
    maybe, surely = (margin[:, None] > slack for slack in (-WEIGHT_TOLERANCE, WEIGHT_TOLERANCE))
    if rules.patience:
        maybe, surely = np.full_like(maybe, True), np.full_like(surely, not rules.banded)
    return (
        np.where(surely, targets, np.where(maybe, np.maximum(targets, lower), lower)),
        np.where(surely, targets, np.where(maybe, np.minimum(targets, upper), upper)),
    )


def weight_slack(rules: Rules, trades: Rows, room: Floats) -> Floats:
    """Return what rounding may do to a weight: a billionth of a lot, and what sums of the capital's size leave."""
    money = rules.lot_sizes[trades["asset"]] * trades["price"] + 1e-5 * rules.capital
    return WEIGHT_TOLERANCE * (1 + money / room)


def assert_rebalancing_has_a_trigger(panel: Panel, rules: Rules, margin: Floats, ledger: Rows, trades: Rows) -> None:
    """Hold each trade to a trigger of its session, or under patience of one before: there has to be what it waits for.

    It waits no longer than it may, and as long as the price runs in its favour. Without a bar it waits on.
    """
    if rules.banded:
        return
    holds = margin > -WEIGHT_TOLERANCE
    if not rules.patience:
        assert holds[trades["session"]].all()
        return
    closes = pd.DataFrame(panel.close).ffill()
    beyond = (closes / closes.rolling(rules.patience_mean).mean() - 1).shift().to_numpy()
    without = np.isnan(panel.close) | blocked_by_session(panel, ledger)
    for trade in trades:
        session = trade["session"]
        since = np.flatnonzero(holds[: session + 1])
        assert len(since)
        if not without[: session + 1, trade["asset"]].any():
            assert session - since[-1] <= rules.patience
        running = np.sign(-trade["quantity"]) * beyond[session, trade["asset"]]
        assert running <= 1e-9 or since[0] <= session - rules.patience


def trigger_margin(panel: Panel, rules: Rules, result: SimulationResult) -> Floats:
    """Return at each close by how much the furthest measure is beyond its limit: where above 0, some trigger holds.

    The calendar and a change of targets have no limit: where one of them is the trigger, it is infinite.
    """
    always = begins(panel, rules.rebalance_every) | changes(panel, rules)
    measured = np.fmax(deviation_margin(panel, rules, result), volatility_margin(panel, rules, result))
    return np.where(always, np.inf, measured)


def changes(panel: Panel, rules: Rules) -> np.ndarray:
    """Return at which closes other targets come into force, where that is a trigger."""
    targets = targets_by_session(panel, rules)
    return np.append(False, (targets[1:] != targets[:-1]).any(axis=1)) & rules.rebalance_on_change


def deviation_margin(panel: Panel, rules: Rules, result: SimulationResult) -> Floats:
    """Return at each close by how much more than the width some weight is off its target."""
    targets = targets_by_session(panel, rules, result.ledger)
    closes = np.where(blocked_by_session(panel, result.ledger), np.nan, panel.close)
    value, held = after_the_path(panel, rules.capital, result)
    room = (1 - rules.reserve) * np.where(value > 0, value, np.nan)
    off = np.abs(held * closes / room[:, None] - targets)
    with np.errstate(invalid="ignore"):
        width = rules.deviation * (targets if rules.deviation_width is Width.RELATIVE else 1.0)
    return np.fmax.reduce(off - width, axis=1, initial=-np.inf)


def volatility_margin(panel: Panel, rules: Rules, result: SimulationResult) -> Floats:
    """Return in each session by how much more than the level the window before it was volatile."""
    length, window = len(panel.sessions), rules.volatility_window
    found = np.full(length, -np.inf)
    if np.isfinite(rules.volatility) and length > window:
        windows = np.lib.stride_tricks.sliding_window_view(returns(rules.capital, result.daily), window)[:-1]
        found[window:] = windows.std(axis=1, ddof=1) * np.sqrt(periods_per_year(panel)) - rules.volatility
    return found


def periods_per_year(panel: Panel) -> float:
    """Return 365 where Saturdays and Sundays are each at least half as many as Wednesdays, else 252.

    Sessions that are usually more than four days apart are weeks or months, and counted as these.
    """
    gaps = pd.Series(panel.sessions).diff().dropna().dt.days
    if len(gaps) > 3 and gaps.median() > 4:
        months = round(gaps.median() / (365.25 / 12))
        return 12 / months if months else 365.25 / gaps.median()
    _, _, wednesdays, _, _, *weekends = np.bincount(pd.DatetimeIndex(panel.sessions).day_of_week, minlength=7)
    return 365 if min(weekends) > 0 and 2 * min(weekends) >= wednesdays else 252


def premiums(panel: Panel, ledger: Rows) -> Floats:
    """Return the premium of each close, by session and asset; NaN on the first session and where it does not trade."""
    highest = np.fmax.accumulate(panel.close, axis=0)
    closes = np.where(blocked_by_session(panel, ledger), np.nan, panel.close)
    return np.concatenate([np.full_like(highest[:1], np.nan), closes[1:] / highest[:-1] - 1])


def attempts(panel: Panel, rules: Rules, ledger: Rows) -> Iterator[tuple[int, int, int]]:
    """Yield the sessions that open a spread wider than its limit, each with its dearest and its cheapest asset."""
    was_wide = False
    for session, premium in enumerate(premiums(panel, ledger)):
        wide = bool(np.fmax.reduce(premium) - np.fmin.reduce(premium) > rules.premium_spread)
        if wide and not was_wide:
            yield session, int(np.nanargmax(premium)), int(np.nanargmin(premium))
        was_wide = wide


def is_rung_of(rules: Rules, sale: Rows, held: float) -> bool:
    """Return whether a sale is as large as a rung's: some bracket's share of the gain, less what lots cut off."""
    asset = sale["asset"]
    brackets = [rules.brackets[asset], *(2 ** (1 / steps) - 1 for steps in (6, 8, 12) if rules.adaptive_bracket)]
    cut = np.array([r * held * rules.profit_shares[asset] / (1 + r) + sale["quantity"] for r in brackets])
    lot = rules.lot_sizes[asset]
    return bool(((cut >= -1e-9 * (held + lot)) & (cut <= lot + 1e-9 * (held + lot))).any())


def of_the_spread(panel: Panel, rules: Rules, ledger: Rows, before: States) -> np.ndarray:
    """Return which rows trade a premium spread: the last rebalancing of a session, where it fits the attempt."""
    found = np.zeros(len(ledger), dtype=bool)
    if np.isinf(rules.premium_spread):
        return found
    rebalancing = are(ledger["kind"], *REBALANCING)
    for session, dearest, cheapest in attempts(panel, rules, ledger):
        rows = np.flatnonzero(rebalancing & (ledger["session"] == session))
        bought = len(rows) > 1 and ledger["quantity"][rows[-1]] > 0
        sale = rows[-2 if bought else -1] if len(rows) else None
        if sale is None or ledger["asset"][sale] != dearest or ledger["quantity"][sale] > 0:
            continue
        if (bought and ledger["asset"][rows[-1]] != cheapest) or (bought and rows[-1] != sale + 1):
            continue
        if is_rung_of(rules, ledger[sale], before.held[sale, dearest]):
            found[sale : rows[-1] + 1] = True
    return found


def assert_spread_trades_a_rung_of_the_dearest_for_the_cheapest(
    panel: Panel, rules: Rules, ledger: Rows, before: States
) -> None:
    """Hold all rebalancing of a portfolio that only trades spreads to its attempts."""
    expected = {session: (dearest, cheapest) for session, dearest, cheapest in attempts(panel, rules, ledger)}
    raised = 0.0
    for row in np.flatnonzero(are(ledger["kind"], *REBALANCING)):
        trade = ledger[row]
        assert trade["session"] in expected
        dearest, cheapest = expected[trade["session"]]
        if trade["kind"] == Kind.REBALANCE_SELL:
            assert trade["asset"] == dearest
            assert is_rung_of(rules, trade, before.held[row, dearest])
            raised = trade["amount"]
        else:
            assert trade["asset"] == cheapest
            assert ledger["kind"][row - 1] == Kind.REBALANCE_SELL
            rounding = MONEY_TOLERANCE + 1e-9 * rules.lot_sizes[cheapest] * trade["price"]
            assert -trade["amount"] <= min(raised, before.bank[row]) + rounding


def assert_profit_is_taken_above_the_drift_alone(panel: Panel, rules: Rules, ledger: Rows, before: States) -> None:
    rows = np.flatnonzero(ledger["kind"] == Kind.PROFIT_SELL)
    sales, first = ledger[rows], first_of_its_session(ledger, rows)
    target = targets_by_session(panel, rules, ledger)[sales["session"], sales["asset"]]
    room = (1 - rules.reserve) * before.value[first]
    held = before.held[rows, sales["asset"]]
    assert (target > 0).all()
    slack = weight_slack(rules, sales, room)
    assert (held * sales["price"] / room > target * (1 + rules.drift) - slack).all()
    assert ((held + sales["quantity"]) * sales["price"] / room >= target - slack).all()


def assert_cash_is_deployed_above_its_threshold_alone(panel: Panel, rules: Rules, ledger: Rows, before: States) -> None:
    rows = np.flatnonzero(ledger["kind"] == Kind.DEPLOY_BUY)
    purchases, first = ledger[rows], first_of_its_session(ledger, rows)
    value = before.value[first]
    room = (1 - rules.reserve) * value
    if len(rows):
        assert (before.bank[first] > rules.cash_high * value - MONEY_TOLERANCE).all()
    rounding = MONEY_TOLERANCE + 1e-9 * (value + rules.lot_sizes[purchases["asset"]] * purchases["price"])
    assert (purchases["bank_after"] >= rules.reserve * value - rounding).all()
    worth = (before.held[rows, purchases["asset"]] + purchases["quantity"]) * purchases["price"]
    target = targets_by_session(panel, rules, ledger)[purchases["session"], purchases["asset"]]
    within_target = worth <= target * room + rounding
    assert (within_target | np.isin(purchases["asset"], rules.candidates)).all()


def first_of_its_session(ledger: Rows, rows: np.ndarray) -> np.ndarray:
    """Return for each row the first of the rows given that lies in its session."""
    sessions = ledger["session"][rows]
    return rows[np.searchsorted(sessions, sessions)]
