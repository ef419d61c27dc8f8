"""What the sessions before change about the rule: adaptive brackets, the portfolio stop, a low share of cash."""

import numpy as np

from sd_core.simulation.kernel.book import LAST, OPEN_PRICE, compiled, inlined
from sd_core.simulation.kernel.rule import purchase_touch, sale_touch, set_limits
from sd_core.simulation.rules import Every, Path

# How many sessions an adaptive bracket looks back on.
GAP_SESSIONS = 90
# Shares of sessions that gapped over a rung, above which rungs become that much closer.
MANY_GAPS, SOME_GAPS = 0.15, 0.05
CLOSE_RUNGS, USUAL_RUNGS, FAR_RUNGS = (2.0 ** (1.0 / steps) - 1.0 for steps in (12, 8, 6))

# A bank that was spent completely keeps no more than this share of the value, by rounding.
NO_CASH = 1e-12

MONTH, CLOSE_ONLY = Every.MONTH.value, Path.CLOSE_ONLY.value


@compiled
def adapt_brackets(terms, book, policy, session):
    """Set every bracket from how often its asset gapped over a rung; too short a history leaves it."""
    if session <= GAP_SESSIONS:
        return
    for asset in range(len(book.positions)):
        gaps = 0
        for slot in range(GAP_SESSIONS):
            gaps += policy.gaps[slot, asset]
        bracket = FAR_RUNGS
        if gaps > MANY_GAPS * GAP_SESSIONS:
            bracket = CLOSE_RUNGS
        elif gaps > SOME_GAPS * GAP_SESSIONS:
            bracket = USUAL_RUNGS
        book.positions[asset].bracket = bracket
        set_limits(terms, book, asset)


@compiled
def note_gaps(market, terms, book, policy, session):
    """Note which assets cross a rung on leg 0, whether or not they trade there. A missing bar compares false."""
    for asset in range(len(book.positions)):
        position = book.positions[asset]
        start = market.prices[session - 1, LAST, asset]
        end = market.closes[session, asset] if terms.path == CLOSE_ONLY else market.prices[session, OPEN_PRICE, asset]
        sale, purchase = sale_touch(position), purchase_touch(position)
        policy.gaps[session % GAP_SESSIONS, asset] = (start < sale <= end) or (start > purchase >= end)


@inlined
def look_back(terms, book, policy, session, value):
    """Follow the time-weighted index to a close; halt purchases of the rule, and say how much of them is made next."""
    state = book.state
    before = state.value + state.deposits
    gain = (value + state.withdrawals) / before - 1.0 if before > 0.0 else 0.0
    if len(policy.returns) > 0:
        policy.returns[session % len(policy.returns)] = gain
    state.index *= 1.0 + gain
    halt_or_resume(terms, state)
    state.eagerness = 1.0
    if terms.cash_low > 0.0:
        share = state.bank / value if value > 0.0 else 0.0
        state.eagerness = min(1.0, share / terms.cash_low) if share > NO_CASH else 0.0


@inlined
def halt_or_resume(terms, state):
    """Halt purchases on a drawdown beyond the stop, and resume them once half of the way back is made."""
    if state.index > state.peak:
        state.peak = state.index
        state.trough = state.index
    state.trough = min(state.trough, state.index)
    if state.halted:
        if state.index >= state.trough + 0.5 * (state.peak - state.trough):
            state.halted = 0
            state.peak = state.index
            state.trough = state.index
    elif state.index < state.peak * (1.0 - terms.stop):
        state.halted = 1


@compiled
def volatility(market, policy):
    """Return the yearly standard deviation of the returns that are kept."""
    count = len(policy.returns)
    mean = 0.0
    for gain in policy.returns:
        mean += gain / count
    squares = 0.0
    for gain in policy.returns:
        squares += (gain - mean) ** 2
    return np.sqrt(squares / (count - 1) * market.periods_per_year)
