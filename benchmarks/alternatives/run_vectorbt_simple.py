"""sd8 on closes, one rung a session, as a plain order function of vectorbt: asked once per asset and session.

This is how a rule is usually written for ``Portfolio.from_order_func``. Sales come first because each session's call
sequence is sorted before it begins; all assets of a scenario share their cash. Everything is compiled by numba.
"""

import numpy as np
import vectorbt as vbt
from case import DUST, TOUCH, Case, measure, read_case
from numba import njit
from run_vectorbt import LONG_ONLY, read
from vectorbt.portfolio.enums import NoOrder
from vectorbt.portfolio.nb import order_nb


@njit(cache=True)
def sales_first(c, bracket, anchors):
    """Sort the session's calls: assets whose close reaches a sell rung, then the others, each in their order."""
    place = 0
    for sells in (True, False):
        for asset in range(c.group_len):
            limit = anchors[asset] * (1.0 + bracket)
            if (c.i > 0 and c.close[c.i, c.from_col + asset] >= limit * (1.0 - TOUCH)) == sells:
                c.call_seq_now[place] = asset
                place += 1
    return ()


@njit(cache=True)
def order(c, budgets, bracket, share, anchors):
    """Return the order of one asset in one session."""
    asset = c.col - c.from_col
    price = c.close[c.i, c.col]
    if c.i == 0:
        anchors[asset] = price
        return order_nb(min(budgets[c.group], c.cash_now) / price, price, direction=LONG_ONLY)
    sell_limit, buy_limit = anchors[asset] * (1.0 + bracket), anchors[asset] / (1.0 + bracket)
    if price >= sell_limit * (1.0 - TOUCH):
        anchors[asset] = sell_limit
        return order_nb(-bracket * c.position_now * share / (1.0 + bracket), price, direction=LONG_ONLY)
    if price <= buy_limit * (1.0 + TOUCH):
        size = bracket * c.position_now * share
        if size * price <= c.cash_now + DUST:
            anchors[asset] = buy_limit
            return order_nb(size, price, direction=LONG_ONLY)
    return NoOrder


def simulate(case: Case) -> vbt.Portfolio:
    """Run all scenarios, each a group of columns with shared cash."""
    scenarios, assets = len(case.reserves), case.close.shape[1]
    anchors = np.zeros(assets)
    return vbt.Portfolio.from_order_func(
        np.tile(case.close, scenarios),
        order,
        case.capital * (1.0 - case.reserves) / assets,
        case.bracket,
        case.profit_share,
        anchors,
        pre_segment_func_nb=sales_first,
        pre_segment_args=(case.bracket, anchors),
        init_cash=case.capital,
        group_by=np.repeat(np.arange(scenarios), assets),
        cash_sharing=True,
        fill_pos_record=False,
    )


if __name__ == "__main__":
    measure("vectorbt", read_case(), simulate, read)
