"""What the broker has against what is booked: fine, corrected, or blocked until a person has looked.

:func:`judge` is the rule; the rest asks it about a book. Where a statement comes from belongs to the broker and to the
command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sd_core.buckets.ledger.draft import Draft
from sd_core.buckets.ledger.quanta import Unit
from sd_core.buckets.ledger.state import State
from sd_core.errors import InputError
from sd_core.study.satellites import LIVE

# In units of a currency: less than this is rounding; less than this in the base currency is corrected; and more than
# this in the base currency within so many days is not corrected any more.
ROUNDING = Decimal("0.01")
CORRECTED = Decimal("1.00")
CORRECTED_IN_ALL, DAYS = Decimal("5.00"), 30
CAUSE, SILENT = "reconciliation", "silent"
NONE, CORRECT, BLOCK = "none", "corrected", "blocked"


@dataclass(frozen=True)
class Difference:
    """One unit, reconciled; amounts in quanta.

    Attributes:
        unit: the currency or instrument.
        actual: what the broker has.
        booked: what the buckets have together.
        held: what activities add that are stored and not booked.
        action: ``none``, ``corrected`` or ``blocked``.
        reason: why, in words.
    """

    unit: str
    actual: int
    booked: int
    held: int
    action: str
    reason: str

    @property
    def difference(self) -> int:
        """What the broker has beyond what is booked and held."""
        return self.actual - self.booked - self.held


def judge(difference: Decimal, in_base: Decimal | None, corrected: Decimal, *, is_currency: bool) -> tuple[str, str]:
    """Return what is done about a difference, and why.

    Args:
        difference: actual − booked − held, in units.
        in_base: the same in the base currency; None where there is no rate.
        corrected: what was corrected in the 30 days before, in the base currency, without signs.
        is_currency: whether the unit is a currency; instruments are never corrected.

    >>> judge(Decimal("-0.005"), Decimal("-0.005"), Decimal(0), is_currency=True)[0]
    'none'
    >>> judge(Decimal("-0.99"), Decimal("-0.99"), Decimal(0), is_currency=True)[0]
    'corrected'
    >>> judge(Decimal("-1.00"), Decimal("-1.00"), Decimal(0), is_currency=True)[0]
    'blocked'
    """
    if not is_currency:
        return (BLOCK, "shares are never corrected") if difference else (NONE, "")
    if abs(difference) < ROUNDING:
        return NONE, ""
    if in_base is None:
        return BLOCK, "there is no rate to judge it by"
    if abs(in_base) >= CORRECTED:
        return BLOCK, f"a difference of {CORRECTED} or more is not corrected"
    if corrected + abs(in_base) > CORRECTED_IN_ALL:
        return BLOCK, f"{corrected:.2f} were corrected within {DAYS} days, and {CORRECTED_IN_ALL} are the most"
    return CORRECT, f"less than {CORRECTED}"


def compare(state: State, statement: Mapping[str, Decimal], today: str) -> list[Difference]:
    """Judge every unit that the broker or a bucket has; one that the statement leaves out counts as 0.

    Raises:
        InputError: the statement names a unit that the ledger does not know, with other than 0.
    """
    if unknown := [unit for unit, amount in statement.items() if amount and unit not in state.units]:
        raise InputError(f"reconcile: {', '.join(unknown)}: expected units of the ledger: import activities first")
    booked: dict[str, int] = {}
    for (_, unit), quanta in state.balances.items():
        booked[unit] = booked.get(unit, 0) + quanta
    held = state.held_legs()
    corrected = state.corrected_since(today, DAYS)
    found = []
    for unit in sorted({*booked, *held, *(unit for unit, amount in statement.items() if amount)}):
        of = state.units[unit]
        actual = of.quanta(statement.get(unit, Decimal(0)), f"reconcile: {unit}")
        one = Difference(unit, actual, booked.get(unit, 0), held.get(unit, 0), NONE, "")
        in_base = _in_base(state, of, one.difference)
        action, reason = judge(of.decimal(one.difference), in_base, corrected, is_currency=of.kind == "currency")
        if action == CORRECT and in_base is not None:
            corrected += abs(in_base)
        found.append(Difference(unit, actual, one.booked, one.held, action, reason))
    return found


def _in_base(state: State, unit: Unit, quanta: int) -> Decimal | None:
    if unit.kind != "currency" or (unit.unit != state.base.unit and unit.unit not in state.rates):
        return None
    return state.base.decimal(state.in_base(unit.unit, quanta))


def end_silence(draft: Draft) -> None:
    """Lift the lock of a broker that was silent."""
    if SILENT in draft.state.locks(LIVE, draft.head.effective):
        draft.add("lock", subject=LIVE, cause=SILENT, until=draft.head.effective)


def reconcile(draft: Draft, found: list[Difference]) -> None:
    """Write what was found, and lock the account or an instrument, or lift such a lock.

    A currency that is blocked stops all openings, an instrument those of itself. Corrections are entries of their own.
    """
    state, today = draft.state, draft.head.effective
    for one in found:
        row = {"unit": one.unit, "book": state.book, "actual": one.actual, "booked": one.booked, "held": one.held}
        draft.add("reconciliation", **row, difference=one.difference, action=one.action)
    currencies = {unit for unit, of in state.units.items() if of.kind == "currency"}
    blocked = {one.unit for one in found if one.action == BLOCK}
    locked = {subject for subject in (LIVE, *state.units) if CAUSE in state.locks(subject, today)}
    wanted = {LIVE if unit in currencies else unit for unit in blocked}
    for subject in sorted(wanted - locked):
        draft.add("lock", subject=subject, cause=CAUSE)
    for subject in sorted(locked - wanted):
        draft.add("lock", subject=subject, cause=CAUSE, until=today)
    numbers = {
        one.unit: {"difference": state.units[one.unit].number(one.difference), "action": one.action}
        for one in found
        if one.difference
    }
    text = f"{', '.join(sorted(blocked))} blocked" if blocked else "nothing is blocked"
    draft.event(state.book, {"differences": numbers, "blocked": sorted(blocked)}, f"reconcile: {text}")
