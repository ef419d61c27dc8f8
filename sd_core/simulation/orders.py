"""The orders that the rule has open after the last session: at which limits it trades next, and how much.

What is known at the last close, as ``docs/simulation.md`` defines it under *Next orders*. What trades at a limit that
is reached belongs in ``kernel``.
"""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from sd_core.market.arrays import month_numbers
from sd_core.market.panel import Panel
from sd_core.schemas.lake import SIMULATION_ORDERS
from sd_core.simulation.amounts import DUST, TOUCH, WHOLE_LOT
from sd_core.simulation.kernel.lookback import (
    CLOSE_RUNGS,
    FAR_RUNGS,
    GAP_SESSIONS,
    MANY_GAPS,
    SOME_GAPS,
    USUAL_RUNGS,
)
from sd_core.simulation.kernel.rule import ON_THE_EDGE
from sd_core.simulation.kernel.trades import SAME_SHARES
from sd_core.simulation.results import State
from sd_core.simulation.rules import Rules, Sizing, Variant, Width
from sd_core.study.scenario import Scenario

Restraint = Literal["bank", "band", "stop"]


@dataclass(frozen=True)
class Order:
    """One order of the rule.

    Attributes:
        asset: position in the panel.
        quantity: shares, negative for a sale.
        limit: price per share, in the study's currency.
        fee: of the trade at its limit, in the study's currency.
        restraint: what keeps it from being made at its limit: the bank, the asset's band, the stop; None for nothing.
    """

    asset: int
    quantity: float
    limit: float
    fee: float
    restraint: Restraint | None


def next_orders(state: State, rules: Rules, panel: Panel, next_session: dt.date | None = None) -> list[Order]:
    """Return the next sale and the next purchase of every asset, of those that have one.

    Args:
        state: of the scenario after its last session.
        rules: of the scenario.
        panel: the sessions that are behind the state; later ones are not looked at.
        next_session: date of the session that follows, which may begin a month, on whose first session brackets adapt.
            None takes it to be of the same month.

    Returns:
        Orders in the panel's order of assets, the sale of an asset before its purchase.
    """
    if rules.variant is Variant.NO_RULE:
        return []
    ruled = _Ruled(state, rules, panel, next_session)
    return [order for asset in range(len(panel.tickers)) for order in ruled.orders(asset)]


def order_table(orders: list[Order], state: State, scenario: Scenario, panel: Panel) -> pa.Table:
    """Return orders with the columns of the lake."""
    last = panel.sessions[state.sessions - 1].item()
    rows = [
        {
            "strategy": scenario.strategy,
            "reserve": scenario.reserve,
            "session": last,
            "ticker": panel.tickers[order.asset],
            "side": "sell" if order.quantity < 0 else "buy",
            "limit_price": order.limit,
            "quantity": abs(order.quantity),
            "fee": order.fee,
            "restraint": order.restraint,
        }
        for order in orders
    ]
    return pa.Table.from_pylist(rows, SIMULATION_ORDERS.arrow_schema)


class _Ruled:
    """A scenario after its last session, with what its rule asks of the next one."""

    def __init__(self, state: State, rules: Rules, panel: Panel, next_session: dt.date | None) -> None:
        totals = state.totals[0]
        self._rules = rules
        self._state = state
        self._value = float(totals["value"])
        # The rule spends what there is and a rounding more.
        self._spendable = float(totals["bank"]) + rules.margin_limit * self._value
        self._eagerness = float(totals["eagerness"])
        self._halted = bool(totals["halted"])
        closes = panel.close[: state.sessions]
        self._highest = np.nanmax(closes, axis=0)
        self._weights = rules.targets.in_force(panel.sessions[state.sessions - 1])[state.harvests["role"]]
        self._brackets = state.positions["bracket"] if rules.adaptive_bracket else rules.brackets
        if rules.adaptive_bracket and state.sessions > GAP_SESSIONS and _begins_month(panel, state, next_session):
            gaps = state.gaps.sum(axis=0)
            self._brackets = np.select(
                [gaps > MANY_GAPS * GAP_SESSIONS, gaps > SOME_GAPS * GAP_SESSIONS],
                [CLOSE_RUNGS, USUAL_RUNGS],
                FAR_RUNGS,
            )

    def orders(self, asset: int) -> Iterator[Order]:
        """Yield the sale of an asset and its purchase, where there are such."""
        anchor, bracket = float(self._state.positions["anchor"][asset]), float(self._brackets[asset])
        held = float(self._state.holdings[asset])
        rung = bracket * held * float(self._rules.profit_shares[asset])
        if (quantity := self._sellable(asset, rung / (1 + bracket), held)) > 0:
            limit = self._sale_limit(asset, anchor, bracket, quantity)
            if limit < math.inf:
                lapses = self._weight(held - quantity, limit) < self._edge(asset, upper=False) - ON_THE_EDGE
                yield Order(asset, -quantity, limit, self._fee(quantity * limit), "band" if lapses else None)
        if self._rules.variant is not Variant.ATH_ONLY:
            quantity = self._whole_lots(asset, rung * self._eagerness)
            if quantity > 0:
                limit = anchor / (1 + bracket)
                fee = self._fee(quantity * limit)
                yield Order(asset, quantity, limit, fee, self._keeps_from_buying(asset, held, quantity, limit, fee))

    def _sellable(self, asset: int, rung: float, held: float) -> float:
        """Return what a sale sells: a rung's quantity or the newest lot, in whole lots, no more than there is."""
        wanted = rung
        if self._rules.sizing is Sizing.SYMMETRIC:
            lots = self._state.lots[self._state.lots["asset"] == asset]
            wanted = float(lots["quantity"][-1]) if len(lots) else rung
        whole = self._whole_lots(asset, wanted)
        return whole if whole < held * (1 - SAME_SHARES) else held

    def _whole_lots(self, asset: int, quantity: float) -> float:
        lot_size = float(self._rules.lot_sizes[asset])
        return quantity if lot_size == 0 else math.floor(quantity / lot_size + WHOLE_LOT) * lot_size

    def _sale_limit(self, asset: int, anchor: float, bracket: float, quantity: float) -> float:
        """Return the limit of the first rung up that is not passed; infinity where each of them is."""
        rules = self._rules
        # A sale has to exceed its fee, and one at new highs alone the highest close.
        keeps = quantity * (1 - rules.fee_rate)
        lowest = rules.fee_fixed / keeps if keeps > 0 else math.inf
        if rules.variant is Variant.ATH_SELL:
            lowest = max(lowest, float(self._highest[asset]) / (1 + TOUCH))
        limit = anchor * (1 + bracket)
        if lowest < limit:
            return limit
        if lowest == math.inf:
            return lowest
        # Not rung by rung from the start: so small a bracket that 1 swallows it would never get there.
        limit *= (1 + bracket) ** math.floor(math.log(lowest / limit) / math.log1p(bracket))
        while self._is_passed(asset, limit, quantity):
            limit *= 1 + bracket
        return limit

    def _is_passed(self, asset: int, limit: float, quantity: float) -> bool:
        below = self._rules.variant is Variant.ATH_SELL and limit * (1 + TOUCH) < self._highest[asset]
        return bool(below or quantity * limit <= self._fee(quantity * limit))

    def _keeps_from_buying(
        self, asset: int, held: float, quantity: float, limit: float, fee: float
    ) -> Restraint | None:
        if self._halted:
            return "stop"
        if self._weight(held + quantity, limit) > self._edge(asset, upper=True) + ON_THE_EDGE:
            return "band"
        return "bank" if quantity * limit + fee > self._spendable + DUST else None

    def _fee(self, traded: float) -> float:
        return self._rules.fee_fixed + self._rules.fee_rate * traded

    def _weight(self, shares: float, price: float) -> float:
        """Return the share of what was to be invested at the last close; no share where that is nothing."""
        return shares * price / ((1 - self._rules.reserve) * self._value) if self._value > 0 else math.inf

    def _edge(self, asset: int, *, upper: bool) -> float:
        """Return an edge of the asset's band: its own, or around its target."""
        rules = self._rules
        own = math.nan if rules.band_edges is None else float(rules.band_edges[asset, int(upper)])
        if not math.isnan(own):
            return own
        if rules.band == math.inf:
            return math.inf if upper else 0.0
        weight = float(self._weights[asset])
        width = rules.band * weight if rules.band_width is Width.RELATIVE else rules.band
        return weight + width if upper else max(0.0, weight - width)


def _begins_month(panel: Panel, state: State, next_session: dt.date | None) -> bool:
    if next_session is None:
        return False
    last, following = month_numbers(np.array([panel.sessions[state.sessions - 1], next_session], "datetime64[D]"))
    return bool(last != following)
