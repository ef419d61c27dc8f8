"""What came to each bucket, and went from it, that is no return: by the legs of the entries since a mark.

What a return makes of flows is in ``sd_core.buckets.rules``.
"""

from collections import defaultdict
from decimal import Decimal

from sd_core.buckets.ledger.state import State
from sd_core.study.satellites import CORE, OUTSIDE

# Causes of legs. A dividend that is sent on reaches the core before it trades, as on history.
OPEN = {"opening", "deposit", "transfer", "harvest", "reallocation", "reassignment", "correction"}
CLOSE = {"withdrawal"}
SENT = "send_to_core"


def flows_since(state: State, entry: int) -> dict[str, tuple[int, int]]:
    """Return open and close flows of each bucket after an entry, in quanta of the base currency.

    Shares that another bucket had count at the last price marked then, what has no price yet at the present one.
    """
    query = """
        select s.owner as source, t.owner as target, p.unit, p.quanta, coalesce(o.cause, p.cause) as cause
        from posting p join entry e on e.number = p.entry
        join account s on s.account = p.source join account t on t.account = p.target
        left join posting o on o.entry = e.reverses and o.leg = p.leg
        where p.book = :book and p.entry > :since order by p.entry, p.leg
    """
    opened: dict[str, int] = defaultdict(int)
    closed: dict[str, int] = defaultdict(int)
    prices = _prices(state, entry)
    for leg in state.rows(query, since=entry):
        if leg.cause not in {*OPEN, *CLOSE, SENT}:
            continue
        worth = _worth(state, leg.unit, leg.quanta, prices)
        is_late = leg.cause in CLOSE
        for owner, amount in ((leg.source, -worth), (leg.target, worth)):
            # A reversal runs the other way: the core is its source then.
            of = closed if is_late or (leg.cause == SENT and owner != CORE) else opened
            of[owner] += amount
    return {owner: (opened[owner], closed[owner]) for owner in {*opened, *closed} - {OUTSIDE}}


def _worth(state: State, unit: str, quanta: int, prices: dict[str, Decimal]) -> int:
    """Return money in quanta of the base currency, at the last rate."""
    of = state.units[unit]
    if of.quote_currency is None:
        return state.in_base(unit, quanta)
    price = prices.get(unit) or state.prices[unit][1]
    quoted = state.units[of.quote_currency]
    return state.in_base(quoted.unit, int((of.decimal(quanta) * price).scaleb(quoted.scale)))


def _prices(state: State, entry: int) -> dict[str, Decimal]:
    """Return the last prices that were marked up to an entry."""
    query = """
        select m.unit, m.price from mark_position m where m.book = :book and m.entry =
        (select max(entry) from mark_position l where l.book = m.book and l.unit = m.unit and l.entry <= :entry)
    """
    return {row.unit: Decimal(row.price) for row in state.rows(query, entry=entry)}
