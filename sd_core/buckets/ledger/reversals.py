"""Taking an entry back: its legs run the other way, and its lots are closed or opened again.

Who may reverse what belongs in ``requests`` and, for the broker's own corrections, in ``facts``.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sd_core.buckets.ledger.draft import Draft, HeldError
from sd_core.buckets.ledger.state import State
from sd_core.study.satellites import CORE, OUTSIDE


def mirror(draft: Draft, number: int) -> dict[str, Any]:
    """Write the mirror of an entry; return the numbers of its event.

    Raises:
        HeldError: shares that it added have moved on.
    """
    state = draft.state
    for leg in state.legs(number):
        draft.post(leg.target, leg.source, leg.unit, leg.quanta, "reversal")
    for lot in state.lots_of(number):
        if lot.left < lot.quanta:
            of = state.units[lot.unit]
            raise HeldError(f"{of.number(lot.quanta - lot.left)} of {of.shown(lot.quanta)} have moved on")
        draft.add("lot_use", lot=lot.lot, quanta=lot.quanta, cost=lot.cost)
    for use in state.uses_of(number):
        draft.open_lot(use.bucket, use.unit, use.opened, use.quanta, use.cost, parent=use.lot)
    for unit in state.assigned_by(number):
        draft.add("universe", subject=unit, owner=state.owner_before(unit, number) or CORE)
    return {"reverses": number, "bucket": state.subject_of(number)}


def is_as_it_was(state: State, number: int, legs: Mapping[str, int]) -> bool:
    """Return whether a fill can be taken back as it was booked: all of it, and nothing has used the lots it opened.

    Args:
        number: the entry of the fill.
        legs: what taking it back adds, by unit.
    """
    left: Counter[str] = Counter(legs)
    for leg in state.legs(number):
        left[leg.unit] += leg.quanta if leg.source == OUTSIDE else -leg.quanta
    return not any(left.values()) and all(lot.left == lot.quanta for lot in state.lots_of(number))
