"""sd8 on four legs, as a flexible order function of vectorbt: a fill is an order, the bank is the shared cash.

A flexible order function is asked for one order after the other until it has no more for the session, and meanwhile
sees cash and positions as the orders so far left them. That is all the rule needs. What it books besides fills (refused
purchases, lots, premiums) has no place in vectorbt's records and is left out. Everything is compiled by numba.
"""

import numpy as np
import vectorbt as vbt
from case import DUST, TOUCH, Case, Outcome, measure, read_case
from numba import njit
from vectorbt.portfolio.enums import Direction, NoOrder
from vectorbt.portfolio.nb import order_nb

LEGS = 4
LONG_ONLY = Direction.LongOnly
# The state of a session: assets whose bar reaches a limit, the leg, whether it buys yet, the place among those assets.
TOUCHED, LEG, BUYING, PLACE = range(4)


@njit(cache=True)
def next_order(c, budgets, opens, highs, lows, bracket, share, anchors, touched, points, state):
    """Return the column and the order of the session's next fill, or -1 when there is none."""
    if c.i == 0:
        return first_purchase(c, budgets, anchors)
    if c.call_idx == 0:
        begin_session(c, opens, highs, lows, bracket, anchors, touched, points, state)
    cash = c.last_cash[c.group]
    while state[LEG] < LEGS:
        while state[PLACE] < state[TOUCHED]:
            asset = touched[state[PLACE]]
            column = c.from_col + asset
            start, end = points[asset, state[LEG]], points[asset, state[LEG] + 1]
            if state[BUYING]:
                limit = anchors[asset] / (1.0 + bracket)
                reached = limit * (1.0 + TOUCH)
                fills = end <= reached and (state[LEG] == 0 or start > reached)
                size = bracket * c.last_position[column] * share
            else:
                limit = anchors[asset] * (1.0 + bracket)
                reached = limit * (1.0 - TOUCH)
                fills = end >= reached and (state[LEG] == 0 or start < reached)
                size = -bracket * c.last_position[column] * share / (1.0 + bracket)
            price = end if state[LEG] == 0 else limit
            if fills and size * price <= cash + DUST:
                anchors[asset] = limit
                return column, order_nb(size, price, direction=LONG_ONLY)
            state[PLACE] += 1
        state[PLACE] = 0
        state[LEG] += state[BUYING]
        state[BUYING] = 1 - state[BUYING]
    return -1, NoOrder


@njit(cache=True)
def first_purchase(c, budgets, anchors):
    """Buy one asset after the other for its share of the capital."""
    if c.call_idx == c.group_len:
        return -1, NoOrder
    column = c.from_col + c.call_idx
    price = c.close[0, column]
    anchors[c.call_idx] = price
    return column, order_nb(min(budgets[c.group], c.last_cash[c.group]) / price, price, direction=LONG_ONLY)


@njit(cache=True)
def begin_session(c, opens, highs, lows, bracket, anchors, touched, points, state):
    """Collect the assets whose bar reaches a limit, and the prices that their legs run between."""
    state[:] = 0
    for asset in range(c.group_len):
        opened, high, low = opens[c.i, asset], highs[c.i, asset], lows[c.i, asset]
        sell_at = anchors[asset] * (1.0 + bracket) * (1.0 - TOUCH)
        buy_at = anchors[asset] / (1.0 + bracket) * (1.0 + TOUCH)
        if high >= sell_at or low <= buy_at:
            low_first = opened - low <= high - opened
            points[asset, 0] = c.close[c.i - 1, c.from_col + asset]
            points[asset, 1] = opened
            points[asset, 2] = low if low_first else high
            points[asset, 3] = high if low_first else low
            points[asset, 4] = c.close[c.i, c.from_col + asset]
            touched[state[TOUCHED]] = asset
            state[TOUCHED] += 1


def simulate(case: Case) -> vbt.Portfolio:
    """Run all scenarios, each a group of columns with shared cash.

    Returns:
        The portfolio with its order records; values by session are computed when they are asked for.
    """
    scenarios, assets = len(case.reserves), case.close.shape[1]
    return vbt.Portfolio.from_order_func(
        np.tile(case.close, scenarios),
        next_order,
        case.capital * (1.0 - case.reserves) / assets,
        case.open,
        case.high,
        case.low,
        case.bracket,
        case.profit_share,
        np.zeros(assets),
        np.zeros(assets, dtype=np.int64),
        np.zeros((assets, LEGS + 1)),
        np.zeros(4, dtype=np.int64),
        flexible=True,
        init_cash=case.capital,
        group_by=np.repeat(np.arange(scenarios), assets),
        cash_sharing=True,
        fill_pos_record=False,
    )


def read(portfolio: vbt.Portfolio) -> list[Outcome]:
    """Read the outcomes off the order records; the first purchases are no trades of the rule."""
    values = np.asarray(portfolio.final_value())
    scenarios = len(values)
    orders = portfolio.orders.values
    orders = orders[orders["idx"] > 0]
    scenario = orders["col"] // (portfolio.wrapper.shape[1] // scenarios)
    fills = np.bincount(scenario, minlength=scenarios)
    turnover = np.bincount(scenario, orders["size"] * orders["price"], minlength=scenarios)
    return [
        Outcome(int(n), float(money), float(value)) for n, money, value in zip(fills, turnover, values, strict=True)
    ]


if __name__ == "__main__":
    measure("vectorbt", read_case(), simulate, read)
