"""The orders that are open after the last session: both engines trade them in a session that just reaches them.

The oracle is a session more: one in which nothing arrives, no other asset has a bar, and one asset touches the limit,
or stays a hair away from it. Before that, some orders worked by hand.
"""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import plain_engine
import pytest
from support.generators import Case, panel_of, random_case, rules_of

from sd_core.market.arrays import last_known, month_numbers
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import LEG_CLOSE, Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.orders import Order, next_orders
from sd_core.simulation.results import Rows, SimulationResult, State
from sd_core.simulation.rules import Every, Path, Rules, Sizing, Variant

CASES = 700
# Prices of random cases are a product of many factors; what is a hair away from a limit is further than that.
HAIR = 1e-9
RUNG = 2 ** (1 / 8)


def orders_after(panel: Panel, rules: Rules) -> list[Order]:
    (result,) = simulate(panel, [rules])
    return next_orders(result.state, rules, panel)


# Worked by hand: capital 100 000, sd8, profit share 0.5, one asset bought at 100.


def test_rungs_around_the_first_purchase_are_the_published_ones():
    # docs/simulation.md, worked examples: 41.497978 @ 109.050773, and at a reserve 40.728480 of 900 @ 91.700404.
    sale, purchase = orders_after(panel_of([100.0, 100.0]), rules_of(reserve=0.1))
    assert (sale.limit, purchase.limit) == pytest.approx((109.050773, 91.700404), abs=1e-6)
    assert (sale.quantity, purchase.quantity) == pytest.approx((-41.497978 * 0.9, 40.728480), abs=1e-6)
    assert (sale.restraint, purchase.restraint) == (None, None)


def test_purchase_that_the_bank_does_not_cover_is_so_marked():
    _, purchase = orders_after(panel_of([100.0, 100.0]), rules_of(reserve=0.03))
    assert purchase.restraint == "bank"  # 43.9 shares at 91.70 are 4 025 and the bank has 3 000


def test_credit_covers_a_purchase_as_the_bank_does():
    _, purchase = orders_after(panel_of([100.0, 100.0]), rules_of(reserve=0.03, margin_limit=0.1))
    assert purchase.restraint is None


def test_rule_that_only_sells_has_no_purchase_and_no_rule_has_neither():
    panel = panel_of([100.0, 100.0])
    assert [order.quantity < 0 for order in orders_after(panel, rules_of(variant=Variant.ATH_ONLY))] == [True]
    assert orders_after(panel, rules_of(variant=Variant.NO_RULE)) == []


def test_sale_at_new_highs_alone_waits_for_the_first_rung_that_is_one():
    # Up to 110, which sells at 109.05, and down to 85, which buys twice: from 84.09 the rungs up are 91.70, 100, 109.05
    # and 118.92, of which the first above the highest close is the last.
    rules = rules_of(reserve=0.3, variant=Variant.ATH_SELL)
    sale, _ = orders_after(panel_of([100.0, 110.0, 84.0]), rules)
    assert sale.limit == pytest.approx(100 * RUNG**2, rel=1e-12)


def test_sale_that_would_not_pay_its_fee_waits_for_a_rung_that_does():
    # A share of 100 and a fee of 130: at 200 and not at 100; the bracket doubles the price.
    rules = rules_of(capital=530.0, bracket=1.0, fee_fixed=130.0, lot_size=1.0)
    [sale, _] = orders_after(panel_of([100.0, 100.0]), rules)
    assert (sale.quantity, sale.limit, sale.fee) == (-1.0, 200.0, 130.0)
    [sale, _] = orders_after(panel_of([100.0, 100.0]), replace(rules, fee_fixed=230.0, capital=630.0))
    assert sale.limit == 400.0


def test_whole_lots_that_round_to_nothing_have_no_order():
    assert orders_after(panel_of([100.0, 100.0]), rules_of(lot_size=100.0)) == []


def test_symmetric_sale_is_the_newest_lot():
    rules = rules_of(reserve=0.3, sizing=Sizing.SYMMETRIC)
    sale, _ = orders_after(panel_of([100.0, 100.0 / RUNG]), rules)
    assert sale.quantity == pytest.approx(-700 * (RUNG - 1) / 2, rel=1e-12)


@pytest.mark.parametrize(("next_session", "adapted"), [("2020-01-31", False), ("2020-02-03", True), (None, False)])
def test_bracket_adapts_where_the_next_session_begins_a_month(next_session, adapted):
    sessions = np.arange("2019-09-01", "2020-01-31", dtype="datetime64[D]")
    rules = rules_of(adaptive_bracket=True)
    panel = panel_of([100.0] * len(sessions), sessions=sessions)
    (result,) = simulate(panel, [rules])
    day = None if next_session is None else np.datetime64(next_session).item()
    # Without any gap a doubling has six rungs from the first month after 90 sessions on: that is January here.
    assert result.state.positions["bracket"][0] == pytest.approx(2 ** (1 / 6) - 1)
    state = result.state._replace(gaps=np.ones_like(result.state.gaps))
    sale, _ = next_orders(state, rules, panel, day)
    assert sale.limit == pytest.approx(100 * 2 ** (1 / (12 if adapted else 6)))


# The oracle.


def one_more(panel: Panel, asset: int, bar: tuple[float, float, float, float]) -> Panel:
    """Return a panel with one more session, in which nothing arrives and one asset alone has a bar."""
    bars = np.full((4, 1, len(panel.tickers)), np.nan)
    bars[:, 0, asset] = bar
    rates = np.append(panel.rates, 0.0)
    rates[-2] = 0.0
    index = panel.price_index
    return Panel(
        tickers=panel.tickers,
        sessions=np.append(panel.sessions, panel.sessions[-1] + 1),
        **{
            name: np.vstack([getattr(panel, name), row])
            for name, row in zip(("open", "high", "low", "close"), bars, strict=True)
        },
        dividends=np.vstack([panel.dividends, np.zeros(len(panel.tickers))]),
        rates=rates,
        price_index=None if index is None else np.append(index, index[-1]),
    )


def reaching(last: float, price: float) -> tuple[float, float, float, float]:
    """Return the bar that opens at the last close and goes to a price, on the way of every path."""
    return last, max(last, price), min(last, price), price


def by_the_rule(result: SimulationResult, session: int, kind: Kind) -> Rows:
    ledger = result.ledger
    return ledger[(ledger["session"] == session) & (ledger["kind"] == kind) & (ledger["leg"] < LEG_CLOSE)]


def both_engines(panel: Panel, rules: Rules) -> list[SimulationResult]:
    return [*simulate(panel, [rules]), plain_engine.simulate(panel, rules)]


def is_quiet(case: Case) -> bool:
    """Return whether nothing comes in the day after, and it belongs to the month of the day before."""
    last = case.panel.sessions[-1]
    return bool(np.diff(month_numbers(np.array([last, last + 1])))[0] == 0) or (
        case.rules.deposit_every is Every.NEVER and not case.rules.adaptive_bracket
    )


def is_left_over(asset: int, state: State, close: float) -> bool:
    """Return whether the last close is at a rung of the asset or beyond it, so that the next open trades first."""
    position = state.positions[asset]
    up = 1 + position["bracket"]
    return not position["anchor"] / up * (1 + HAIR) < close < position["anchor"] * up * (1 - HAIR)


def is_reached_in_a_leg(order: Order, rules: Rules, state: State) -> bool:
    """Return whether no rung is passed on the way, or all of those at their limits, in one leg after the open."""
    position = state.positions[order.asset]
    first = position["anchor"] * (1 + position["bracket"])
    passed = round(math.log(order.limit / first) / math.log1p(position["bracket"])) if order.quantity < 0 else 0
    return passed == 0 or (passed < rules.max_rungs and rules.path is not Path.CLOSE_ONLY)


def test_engines_trade_every_order_whose_limit_is_touched_and_none_before():
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        case = random_case(90_000 + seed)
        if not is_quiet(case) or case.rules.variant is Variant.NO_RULE:
            continue
        session, last = len(case.panel.sessions), last_known(case.panel.close)[-1]
        (result,) = simulate(case.panel, [case.rules])
        found = next_orders(result.state, case.rules, case.panel)
        for order in found:
            kind = Kind.SELL if order.quantity < 0 else Kind.BUY
            close = float(last[order.asset])
            if is_left_over(order.asset, result.state, close) or not is_reached_in_a_leg(
                order, case.rules, result.state
            ):
                continue
            panel = one_more(case.panel, order.asset, reaching(close, order.limit))
            for engine in both_engines(panel, case.rules):
                trades = by_the_rule(engine, session, kind)
                if order.restraint is None:
                    assert len(trades) >= 1, (seed, order)
                    assert trades["quantity"][0] == pytest.approx(order.quantity, rel=1e-9), (seed, order)
                    assert trades["price"][0] == pytest.approx(order.limit, rel=1e-9), (seed, order)
                    assert trades["fee"][0] == pytest.approx(order.fee, rel=1e-9), (seed, order)
                else:
                    assert len(trades) == 0, (seed, order)
            away = order.limit * (1 - HAIR if kind is Kind.SELL else 1 + HAIR)
            panel = one_more(case.panel, order.asset, reaching(close, away))
            for engine in both_engines(panel, case.rules):
                assert len(by_the_rule(engine, session, kind)) == 0, (seed, order)
            seen[f"{kind.name} {order.restraint}"] += 1
            seen[case.rules.variant.name] += 1
    assert min(seen[name] for name in ("SELL None", "BUY None", "ATH_SELL", "ATH_ONLY")) >= 100, seen
    assert min(seen[name] for name in ("BUY bank", "BUY stop", "SELL band", "BUY band")) > 10, seen


def test_asset_without_an_order_trades_at_no_price():
    seen: Counter[str] = Counter()
    for seed in range(CASES // 4):
        case = random_case(90_000 + seed)
        if not is_quiet(case):
            continue
        session, last = len(case.panel.sessions), last_known(case.panel.close)[-1]
        (result,) = simulate(case.panel, [case.rules])
        found = {(order.asset, order.quantity < 0) for order in next_orders(result.state, case.rules, case.panel)}
        for asset in range(len(case.panel.tickers)):
            for kind, price in ((Kind.SELL, last[asset] * 50), (Kind.BUY, last[asset] / 50)):
                if (asset, kind is Kind.SELL) in found:
                    continue
                panel = one_more(case.panel, asset, reaching(float(last[asset]), float(price)))
                assert not any(len(by_the_rule(engine, session, kind)) for engine in both_engines(panel, case.rules))
                seen[kind.name] += 1
    assert min(seen["SELL"], seen["BUY"]) >= 50, seen
