"""Orders that the rules of satellites propose at a marked close, put on record for a person to approve.

What is bought and how much belongs in ``openings``; how an approved order is sent in ``sending``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

from sd_core.broker.registry import NO_BROKER
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.marked import AtMark, at_last_mark, parameters_of
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.tables import PROPOSED, RESERVING, STATUSES
from sd_core.buckets.rules import NEVER
from sd_core.buckets.trading.openings import Asked, Buyer, Costs, Opening, bought, openings
from sd_core.schemas.kinds import Reason
from sd_core.study.satellites import LIVE

ENTRY, REINVEST = "entry", "reinvest"
SHARE = Decimal("1e-9")


@dataclass(frozen=True)
class _Wanted:
    """A purchase to be proposed, and what it is ordered by."""

    opening: Opening
    reason: str
    decision: Mapping[str, Any]


def propose(
    ledger: Ledger, asked: Mapping[str, Mapping[str, Asked]], costs: Costs, *, dry_run: bool = False
) -> list[Receipt]:
    """Propose what satellites buy at the open after the last marked close.

    Proposals of earlier closes expire, and so do orders that a person was to place by hand. A satellite for which this
    close was looked at before is left out, so that calling this again changes nothing.

    Args:
        asked: by satellite, what its signal says of its instruments at that close, in the order of the study.
        costs: of a trade.
        dry_run: whether nothing is booked.
    """
    with ledger.state() as state:
        at = {bucket: at_last_mark(state, bucket) for bucket, one in state.buckets.items() if one.status == "active"}
        sessions = {one.session for one in at.values() if one is not None}
        by_hand = state.setting(LIVE, "broker") == NO_BROKER
        waiting = [one for one in state.orders((PROPOSED, *RESERVING) if by_hand else (PROPOSED,)) if one.reason]
    for one in waiting:
        if sessions and not dry_run and (one.session or "") < max(sessions):
            ledger.close(one.client_id, "expired", actor="rule")
    made = []
    for bucket, now in at.items():
        if now is not None:
            with ledger.state() as state:
                wanted = _wanted(state, bucket, now, asked.get(bucket, {}), costs)
                orders = [_order(state, bucket, now.session, one) for one in wanted]
            for order, one in zip(orders, wanted, strict=True):
                receipt = ledger.propose(order, one.decision, key=f"propose:{order.client_id}", dry_run=dry_run)
                if receipt.is_new:
                    made.append(receipt)
    return made


def _wanted(state: State, bucket: str, now: AtMark, asked: Mapping[str, Asked], costs: Costs) -> list[_Wanted]:
    """Return what a satellite buys: more of what paid dividends first, then new positions."""
    before = state.orders(STATUSES, session=now.session)
    if now.factor <= 0.0 or any(one.bucket == bucket and one.side == "buy" for one in before):
        return []
    base = state.base
    free = float(base.decimal(max(0, state.free(bucket, base.unit))))
    # Money in another currency than an instrument is quoted in does not buy it.
    asked = {unit: one for unit, one in asked.items() if state.units[unit].quote_currency == base.unit}
    wanted = []
    for unit, held in now.positions.items():
        if held.reinvest > 0.0 and held.exit == NEVER and unit in asked:
            more = bought(unit, asked[unit], min(held.reinvest, costs.most_for(free)), costs)
            if more is not None:
                wanted.append(_Wanted(more, REINVEST, {"factor": now.factor}))
                free -= more.reserved
    under_way = {one.unit for one in state.orders(RESERVING) if one.bucket == bucket and one.side == "buy"}
    held_now = {*state.positions(bucket), *under_way}
    leaving = sum(held.exit != NEVER for held in now.positions.values())
    tests = sum(held.is_test for held in now.positions.values())
    buyer = Buyer(
        parameters_of(state, bucket),
        now.value,
        now.factor,
        now.level,
        now.is_test,
        tests,
        len(held_now) - leaving,
        frozenset({*held_now, *now.positions}),
        free,
    )
    return [
        *wanted,
        *(_Wanted(one, ENTRY, _decision(now, asked[one.unit])) for one in openings(buyer, asked, costs)),
    ]


def _decision(now: AtMark, signal: Asked) -> dict[str, Any]:
    """Return what an entry is ordered by, as its position remembers it."""
    return {
        "factor": now.factor,
        "reasons": [one.name.lower() for one in Reason if one in now.reasons and one.name],
        "conviction": signal.conviction,
        "close": signal.close,
        "peak": signal.peak,
        "regime": now.regime.name.lower(),
        "is_test": now.is_test,
        "ex_date": signal.next_ex_date,
    }


def _order(state: State, bucket: str, session: str, wanted: _Wanted) -> Order:
    """Return a purchase in quanta: its quantity rounded down, what it reserves rounded up."""
    unit, base = state.units[wanted.opening.unit], state.base
    quantity = Decimal(repr(wanted.opening.quantity)).quantize(SHARE, ROUND_DOWN)
    reserved = Decimal(repr(wanted.opening.reserved)).quantize(Decimal(1).scaleb(-base.scale), ROUND_UP)
    return Order(
        f"{bucket}-{unit.unit}-{wanted.reason}-{session}",
        bucket,
        "buy",
        unit.unit,
        unit.quanta(quantity, "propose"),
        base.unit,
        base.quanta(reserved, "propose"),
        session=session,
        reason=wanted.reason,
    )
