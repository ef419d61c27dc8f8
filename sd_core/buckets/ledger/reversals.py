"""Taking an entry back: its legs run the other way, and its lots are closed or opened again.

Who may reverse what belongs in ``requests`` and, for the broker's own corrections, in ``facts``.
"""

from typing import Any

from sd_core.buckets.ledger.draft import Draft, HeldError
from sd_core.study.satellites import CORE


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
            raise HeldError(f"{lot.quanta - lot.left} of {lot.quanta} quanta of {lot.unit} have moved on")
        draft.add("lot_use", lot=lot.lot, quanta=lot.quanta, cost=lot.cost)
    for use in state.uses_of(number):
        draft.open_lot(use.bucket, use.unit, use.opened, use.quanta, use.cost, parent=use.lot)
    for unit in state.assigned_by(number):
        draft.add("universe", subject=unit, owner=state.owner_before(unit, number) or CORE)
    return {"reverses": number, "bucket": state.subject_of(number)}
