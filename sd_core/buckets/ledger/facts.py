"""What the broker states is booked: one function per kind of activity, which writes the legs of its entry.

A fact is never refused for want of money. One without a known owner goes to the core; one that would make a position
negative is held. What people and rules ask for belongs in ``requests``.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sd_core.buckets.ledger.draft import Draft, HeldError
from sd_core.buckets.ledger.orders import fill_order
from sd_core.buckets.ledger.quanta import Unit, by_ratio, in_words
from sd_core.buckets.ledger.reversals import is_as_it_was, mirror
from sd_core.buckets.ledger.splits import split_deposit
from sd_core.errors import InputError
from sd_core.study.satellites import CORE, LIVE, OUTSIDE

# Broker's kinds, with the kind of entry that each makes.
ENTRY_OF = {
    "opening": "opening",
    "deposit": "deposit",
    "withdrawal": "withdrawal",
    "fill": "fill",
    "dividend": "dividend",
    "fee": "fee",
    "interest": "interest",
    "fx": "fx",
    "adjustment": "correction",
    "bust": "reversal",
    "split": "split",
    "rename": "rename",
    "merger": "merger",
    "spin_off": "spin_off",
}
# What a kind may need besides its legs, as text; an opening needs its lots, too.
DETAILS = ("order", "fee", "unit", "ex_date", "ratio", "of", "cost_share", "bucket", "reason")
# Kinds whose legs are currencies, but for the instruments whose lots an opening states.
MONEY_ALONE = {"opening", "deposit", "withdrawal", "dividend", "fee", "interest", "fx", "adjustment"}


@dataclass(frozen=True)
class Activity:
    """One movement as the broker states it.

    Attributes:
        ref: the broker's reference, unique in its book.
        kind: one of :data:`ENTRY_OF`.
        effective: the date from which it counts.
        legs: what it adds (positive) or takes (negative), by unit, in units.
        quoted: the quote currency of each instrument; the base currency where none is given.
        details: what a kind needs besides: ``order``, ``fee``, ``unit``, ``ex_date``, ``bucket``, ``lots``, ``ratio``,
            ``of``, ``cost_share``, ``closes``, ``reason``; all as JSON holds them.
        previous: the reference that it takes back or replaces.
        at: the moment, where the broker states one.
    """

    ref: str
    kind: str
    effective: dt.date
    legs: Mapping[str, Decimal]
    quoted: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    previous: str | None = None
    at: dt.datetime | None = None


@dataclass(frozen=True)
class Fact:
    """An activity in quanta, as the functions of this module take it."""

    ref: str
    kind: str
    effective: str
    legs: Mapping[str, int]
    details: Mapping[str, Any]
    previous: str | None

    def one(self, draft: Draft, kind: str) -> tuple[str, int]:
        """Return its only leg in units of a kind.

        Raises:
            InputError: there is none, or there are several.
        """
        found = [(unit, quanta) for unit, quanta in self.legs.items() if draft.state.units[unit].kind == kind]
        if len(found) != 1:
            raise InputError(f"{self.kind} {self.ref}: expected one leg in a {kind}, was {len(found)}")
        return found[0]


def waits_for(activity: Activity, units: Mapping[str, Unit]) -> list[str]:
    """Return what can make an activity bookable that is not yet: shares of its instruments, or the activity before."""
    known = {unit for unit in activity.legs if unit not in units or units[unit].kind == "instrument"}
    return sorted(known | {str(one) for one in (activity.previous, activity.details.get("of")) if one})


Note = dict[str, Any]
Handler = Callable[[Draft, Fact], Note]


def book_fact(draft: Draft, fact: Fact) -> None:
    """Write the legs and the event of a fact.

    Raises:
        HeldError: a position would become negative.
        InputError: the legs do not fit the kind.
    """
    numbers = HANDLERS[fact.kind](draft, fact)
    units = draft.state.units
    amounts = {unit: units[unit].number(quanta) for unit, quanta in fact.legs.items()}
    text = f"{draft.head.kind}: {in_words(fact.legs, units)}"
    if numbers.get("unattributed"):
        text += ", without a known owner: the core's"
    subject = numbers.pop("bucket", CORE)
    draft.event(subject, {"amounts": amounts, **numbers}, text)


def _owner(draft: Draft, unit: str, before: str | None = None) -> tuple[str, Note]:
    """Return the bucket in use that an instrument belongs to, or the core with a note."""
    if draft.state.book != LIVE:
        return draft.state.book.removeprefix("paper:"), {}
    owner = draft.state.owner(unit, before)
    if owner is not None and draft.state.buckets[owner].status != "retired":
        return owner, {"bucket": owner}
    return CORE, {"bucket": CORE, "unattributed": unit not in draft.state.positions(CORE)}


def _main(draft: Draft) -> str:
    """Return the bucket that takes what has no other: the core, or a paper book's own."""
    return CORE if draft.state.book == LIVE else draft.state.book.removeprefix("paper:")


def _opening(draft: Draft, fact: Fact) -> Note:
    lots = fact.details.get("lots", {})
    main = _main(draft)
    if (before := draft.state.first_of("opening")) is not None:
        raise InputError(f"opening: expected one of each book, entry {before} opened it")
    for unit, quanta in fact.legs.items():
        of = draft.state.units[unit]
        if quanta < 0 and of.kind == "instrument":
            raise InputError(f"opening: {of.shown(quanta)}: expected a position of at least 0")
        draft.post(OUTSIDE, main, unit, quanta, "opening")
        if of.kind == "instrument":
            stated = lots.get(unit)
            if not stated:
                raise InputError(f"opening: {unit}: expected its lots with cost and date")
            quoted = draft.state.units[str(of.quote_currency)]
            for lot in stated:
                size = of.quanta(Decimal(lot["quantity"]), f"opening: {unit}")
                cost = quoted.quanta(Decimal(lot["cost"]), f"opening: {unit}")
                draft.open_lot(main, unit, lot["opened"], size, cost)
    return {"bucket": main}


def _deposit(draft: Draft, fact: Fact) -> Note:
    unit, quanta = fact.one(draft, "currency")
    if quanta <= 0:
        raise InputError(f"deposit: {draft.state.units[unit].shown(quanta)}: expected more than 0")
    main = _main(draft)
    is_base = unit == draft.state.base.unit
    # Without all rates the value of the account is unknown, and so is what a satellite lacks.
    unknown = draft.state.without_rate
    parts = split_deposit(draft.state, quanta) if main == CORE and is_base and not unknown else {}
    for bucket, part in parts.items():
        draft.post(OUTSIDE, bucket, unit, part, "deposit")
    draft.post(OUTSIDE, main, unit, quanta - sum(parts.values()), "deposit")
    of = draft.state.units[unit]
    note = {"without_rate": unknown} if unknown else {}
    return {"bucket": main, "split": {bucket: of.number(part) for bucket, part in parts.items() if part}, **note}


def _withdrawal(draft: Draft, fact: Fact) -> Note:
    unit, quanta = fact.one(draft, "currency")
    if quanta >= 0:
        raise InputError(
            f"withdrawal: {draft.state.units[unit].shown(quanta)}: expected a negative amount, as it leaves"
        )
    main = _main(draft)
    draft.post(main, OUTSIDE, unit, -quanta, "withdrawal")
    order = fact.details.get("order") or draft.state.request_for(unit, -quanta) or ""
    if (found := draft.state.order(order)) is not None:
        if draft.head.actor == "person" and found.status != "open":
            raise InputError(f"withdraw: {order}: expected an open request, is {found.status}")
        fill_order(draft, order, -quanta)
    return {"bucket": main}


def _fill(draft: Draft, fact: Fact) -> Note:
    unit, quanta = fact.one(draft, "instrument")
    money, net = fact.one(draft, "currency")
    quoted = draft.state.units[money]
    fee = quoted.quanta(Decimal(str(fact.details.get("fee", "0"))), f"fill {fact.ref}: fee")
    bucket, note = _owner(draft, unit)
    order = fact.details.get("order")
    if order and draft.state.order(order) is not None:
        ordered_by = fill_order(draft, order, abs(quanta))
        if draft.state.book != LIVE or draft.state.buckets[ordered_by].status != "retired":
            bucket, note = ordered_by, {}
        note |= {"order": order}
    elif draft.state.book == LIVE:
        note["external_trade"] = True
    if quanta > 0:
        draft.post(bucket, OUTSIDE, money, -net - fee, "purchase")
        draft.post(OUTSIDE, bucket, unit, quanta, "purchase")
        draft.open_lot(bucket, unit, fact.effective, quanta, max(-net, 0))
    else:
        taken = draft.use_lots(bucket, unit, -quanta, net)
        draft.post(bucket, OUTSIDE, unit, -quanta, "sale")
        draft.post(OUTSIDE, bucket, money, net + fee, "sale")
        note["gain"] = quoted.number(net - sum(lot.cost for lot in taken))
    draft.post(bucket, OUTSIDE, money, fee, "fee")
    return {**note, "bucket": bucket, "fee": quoted.number(fee)}


def _dividend(draft: Draft, fact: Fact) -> Note:
    money, net = fact.one(draft, "currency")
    unit = fact.details.get("unit")
    if unit is None:
        raise InputError(f"dividend {fact.ref}: expected the instrument that pays it")
    owner, note = _owner(draft, unit, fact.details.get("ex_date", fact.effective))
    draft.post(OUTSIDE, owner, money, net, "dividend")
    if owner != CORE and draft.state.setting(owner, "dividends") == "send_to_core":
        draft.post(owner, CORE, money, net, "send_to_core")
        note["sent_to_core"] = True
    return {**note, "bucket": owner, "unit": unit}


def _fee(draft: Draft, fact: Fact) -> Note:
    money, quanta = fact.one(draft, "currency")
    if unit := fact.details.get("unit"):
        owner, note = _owner(draft, unit)
        draft.post(OUTSIDE, owner, money, quanta, "fee")
        return note | {"bucket": owner}
    return _divided(draft, money, quanta, draft.state.sales(fact.effective, money), "fee")


def _interest(draft: Draft, fact: Fact) -> Note:
    money, quanta = fact.one(draft, "currency")
    cash = {bucket: held.get(money, 0) for bucket in draft.state.buckets if (held := draft.state.cash(bucket))}
    if money == draft.state.base.unit and draft.state.marked_cash:
        cash = draft.state.marked_cash
    return _divided(draft, money, quanta, {bucket: held for bucket, held in cash.items() if held > 0}, "interest")


def _divided(draft: Draft, money: str, quanta: int, weights: Mapping[str, int], cause: str) -> Note:
    """Divide an amount between buckets; what rounding leaves, and all without weights, is the core's."""
    main = _main(draft)
    parts = {}
    total = sum(weights.values())
    for bucket, weight in weights.items():
        part = abs(quanta) * weight // total * (1 if quanta > 0 else -1)
        if bucket != main and draft.state.buckets[bucket].status != "retired":
            parts[bucket] = part
    for bucket, part in (*parts.items(), (main, quanta - sum(parts.values()))):
        draft.post(OUTSIDE, bucket, money, part, cause)
    of = draft.state.units[money]
    return {"bucket": main, "split": {bucket: of.number(part) for bucket, part in parts.items() if part}}


def _fx(draft: Draft, fact: Fact) -> Note:
    bucket = fact.details.get("bucket", _main(draft))
    draft.state.bucket(bucket, "fx")
    for unit, quanta in fact.legs.items():
        if draft.state.units[unit].kind != "currency":
            raise InputError(f"fx {fact.ref}: {unit}: expected a currency")
        draft.post(OUTSIDE, bucket, unit, quanta, "fx")
    return {"bucket": bucket}


def _adjustment(draft: Draft, fact: Fact) -> Note:
    main = _main(draft)
    for unit, quanta in fact.legs.items():
        if draft.state.units[unit].kind != "currency":
            raise InputError(f"correction: {unit}: expected a currency; positions are never corrected")
        if draft.head.actor == "person":
            _refuse_overdrawing(draft, unit, quanta)
        draft.post(OUTSIDE, main, unit, quanta, "correction")
    return {"bucket": main, "reason": fact.details.get("reason", "")}


def _refuse_overdrawing(draft: Draft, unit: str, quanta: int) -> None:
    """Refuse a correction that takes more than the core has free, but for what the broker has less than is booked.

    Raises:
        InputError: it takes more than both.
    """
    state, of = draft.state, draft.state.units[unit]
    most = max(state.free(CORE, unit), state.lacking(unit), 0)
    if -quanta > most:
        raise InputError(
            f"correct: {of.shown(quanta)}: expected to take at most {of.number(most)}: what the core has free, or what"
            " the last reconciliation found missing"
        )


def _bust(draft: Draft, fact: Fact) -> Note:
    number = draft.head.reverses
    assert number is not None
    if draft.state.entry(number).kind != "fill":
        return mirror(draft, number)
    unit, quanta = fact.one(draft, "instrument")
    money, net = fact.one(draft, "currency")
    traded_by = draft.state.subject_of(number)
    bucket = next((owner for owner, of in draft.state.balances if of == unit), None) or _owner(draft, unit)[0]
    if bucket == traded_by and is_as_it_was(draft.state, number, fact.legs):
        return mirror(draft, number)
    draft.post(OUTSIDE, bucket, unit, quanta, "reversal")
    draft.post(OUTSIDE, bucket, money, net, "reversal")
    note: Note = {"bucket": bucket, "reverses": number, "traded_by": traded_by}
    if quanta < 0:
        taken = draft.use_lots(bucket, unit, -quanta, net, newest_first=True)
        return note | {"gain": draft.state.units[money].number(net - sum(lot.cost for lot in taken))}
    uses = draft.state.uses_of(number)
    sold = [use.quanta for use in uses]
    for use, size in zip(uses, by_ratio(sold, Fraction(quanta, sum(sold)), quanta), strict=True):
        if size > 0:
            draft.open_lot(bucket, unit, use.opened, size, use.cost, parent=use.lot)
    return note


# Corporate actions: the broker states quantities, lots follow by exact ratios.


def _holder(draft: Draft, unit: str) -> str:
    """Return the bucket that holds an instrument; only one does.

    Raises:
        HeldError: no bucket does.
    """
    holders = [owner for owner, held in draft.state.balances if held == unit]
    if not holders:
        raise HeldError(f"no bucket has {unit}")
    return holders[0]


def _ratio(fact: Fact, name: str = "ratio") -> Fraction:
    try:
        ratio = Fraction(str(fact.details[name]))
    except (KeyError, ValueError, ZeroDivisionError):
        raise InputError(f"{fact.kind} {fact.ref}: expected {name}, such as 2 or 3/2") from None
    if ratio < 0:
        raise InputError(f"{fact.kind} {fact.ref}: {name}: expected at least 0, was {ratio}")
    return ratio


def _move_lots(draft: Draft, bucket: str, old: str, new: str, total: int, ratio: Fraction, kept: Fraction) -> int:
    """Close all lots of one instrument and open their successors; return the part of the cost that is not kept.

    Raises:
        HeldError: the broker takes more than the ratio leaves, as it counts a purchase that is not booked.
    """
    held = draft.state.balance(bucket, old)
    lots = draft.use_lots(bucket, old, held, None)
    sizes = by_ratio([lot.quanta for lot in lots], ratio, total)
    if min(sizes) < 0:
        raise HeldError(f"{bucket} has {draft.state.units[old].shown(held)}, fewer than the broker")
    left = 0
    for lot, size in zip(lots, sizes, strict=True):
        cost = int(lot.cost * kept)
        left += lot.cost - cost
        if size > 0:
            draft.open_lot(bucket, new, lot.opened, size, cost, parent=lot.lot)
    return left


def _split(draft: Draft, fact: Fact) -> Note:
    unit, change = fact.one(draft, "instrument")
    bucket = _holder(draft, unit)
    draft.post(OUTSIDE, bucket, unit, change, "split")
    total = draft.state.balance(bucket, unit) + change
    _move_lots(draft, bucket, unit, unit, total, _ratio(fact), Fraction(1))
    return {"bucket": bucket, "ratio": str(fact.details["ratio"])}


def _exchange(draft: Draft, fact: Fact, kept: Fraction) -> tuple[str, str, str]:
    """Exchange all of one instrument for another; return the bucket, the old and the new."""
    of = draft.state.units
    ends = {quanta < 0: unit for unit, quanta in fact.legs.items() if of[unit].kind == "instrument"}
    if len(ends) != 2:
        raise InputError(f"{fact.kind} {fact.ref}: expected one instrument that leaves and one that comes")
    old, new = ends[True], ends[False]
    bucket = _holder(draft, old)
    held = draft.state.balance(bucket, old)
    if held != -fact.legs[old]:
        raise HeldError(f"{bucket} has {of[old].shown(held)}, and {of[old].number(-fact.legs[old])} are to leave")
    draft.post(bucket, OUTSIDE, old, held, fact.kind)
    draft.post(OUTSIDE, bucket, new, fact.legs[new], fact.kind)
    _move_lots(draft, bucket, old, new, fact.legs[new], Fraction(fact.legs[new], held), kept)
    if draft.state.owner(old) is not None and bucket != CORE:
        draft.add("universe", subject=new, owner=bucket)
    return bucket, old, new


def _rename(draft: Draft, fact: Fact) -> Note:
    bucket, old, new = _exchange(draft, fact, Fraction(1))
    return {"bucket": bucket, "old": old, "new": new}


def _merger(draft: Draft, fact: Fact) -> Note:
    money = {unit: quanta for unit, quanta in fact.legs.items() if draft.state.units[unit].kind == "currency"}
    kept = _ratio(fact, "cost_share") if "cost_share" in fact.details else Fraction(1)
    bucket, old, new = _exchange(draft, fact, kept)
    for unit, quanta in money.items():
        draft.post(OUTSIDE, bucket, unit, quanta, "merger")
    return {"bucket": bucket, "old": old, "new": new, "cost_share": str(kept)}


def _spin_off(draft: Draft, fact: Fact) -> Note:
    new, quanta = fact.one(draft, "instrument")
    old = str(fact.details.get("of"))
    bucket = _holder(draft, old)
    held = draft.state.balance(bucket, old)
    share = _spun_share(fact, old, new, held, quanta)
    lots = draft.use_lots(bucket, old, held, None)
    sizes = by_ratio([lot.quanta for lot in lots], Fraction(quanta, held), quanta)
    for lot, size in zip(lots, sizes, strict=True):
        moved = int(lot.cost * share) if size > 0 else 0
        draft.open_lot(bucket, old, lot.opened, lot.quanta, lot.cost - moved, parent=lot.lot)
        if size > 0:
            draft.open_lot(bucket, new, lot.opened, size, moved, parent=lot.lot)
    draft.post(OUTSIDE, bucket, new, quanta, "spin_off")
    if bucket != CORE:
        draft.add("universe", subject=new, owner=bucket)
    return {"bucket": bucket, "of": old, "cost_share": str(share)}


def _spun_share(fact: Fact, old: str, new: str, held: int, quanta: int) -> Fraction:
    """Return the part of the cost that goes to the new instrument: as stated, else by the first closes."""
    if "cost_share" in fact.details:
        return _ratio(fact, "cost_share")
    closes = fact.details.get("closes")
    if not closes or old not in closes or new not in closes:
        raise InputError(f"spin_off {fact.ref}: expected cost_share, or closes of {old} and {new}")
    worth = {old: Fraction(str(closes[old])) * held, new: Fraction(str(closes[new])) * quanta}
    return worth[new] / (worth[old] + worth[new])


HANDLERS: dict[str, Handler] = {
    "opening": _opening,
    "deposit": _deposit,
    "withdrawal": _withdrawal,
    "fill": _fill,
    "dividend": _dividend,
    "fee": _fee,
    "interest": _interest,
    "fx": _fx,
    "adjustment": _adjustment,
    "bust": _bust,
    "split": _split,
    "rename": _rename,
    "merger": _merger,
    "spin_off": _spin_off,
}
