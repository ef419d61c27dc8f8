"""The value of every bucket at the closes of a session.

What follows from a value for what a satellite may open belongs in ``sd_core.buckets.rules``.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from sd_core.buckets.ledger.draft import Draft
from sd_core.buckets.ledger.marked import MarketDay, mark_buckets
from sd_core.buckets.ledger.quanta import LARGEST, Unit
from sd_core.errors import InputError


def mark(
    draft: Draft, session: dt.date, prices: Mapping[str, Decimal], rates: Mapping[str, Decimal], market: MarketDay
) -> None:
    """Book closes and rates of a session, what each bucket is worth at them, and what the rules make of that.

    A session that was marked before gets another revision.

    Args:
        prices: the close of each instrument that a bucket holds, in its quote currency; others are left out.
        rates: each foreign currency in the base currency.
        market: what is known of the session besides.

    Raises:
        InputError: a price or a rate is missing or not above 0, a bucket would be worth more than can be written, or
            the session is before the last one marked or still to come.
    """
    state, day = draft.state, session.isoformat()
    if day > draft.head.effective:
        raise InputError(f"mark: {day}: expected {draft.head.effective}, today, or a session before")
    if state.last_mark is not None and day < state.last_mark:
        raise InputError(f"mark: {day}: expected {state.last_mark}, the last session marked, or a later one")
    held = sorted({unit for _, unit in state.balances})
    missing = [unit for unit in held if _is_unpriced(state.units[unit], state.base, prices, rates)]
    if missing:
        raise InputError(f"mark {day}: {', '.join(missing)}: expected a price above 0 of each, and rates of currencies")
    revision = state.revision(day)
    for code in held:
        if state.units[code].kind == "currency" and code != state.base.unit:
            draft.add(
                "fx_rate", book=state.book, session=day, revision=revision, currency=code, rate=f"{rates[code]:f}"
            )
            state.rates[code] = (day, rates[code])
    state.prices.update({unit: (day, price) for unit, price in prices.items() if unit in held})
    if max(map(abs, state.values.values())) > LARGEST:
        raise InputError(f"mark {day}: expected prices at which a bucket is worth less than a number of 16 digits")
    for (owner, unit), quanta in state.balances.items():
        if state.units[unit].kind == "instrument":
            draft.add(
                "mark_position",
                book=state.book,
                bucket=owner,
                session=day,
                revision=revision,
                unit=unit,
                quanta=quanta,
                price=f"{prices[unit]:f}",
                value=state.worth(unit, quanta, owner),
            )
    for bucket, value in state.values.items():
        cash = sum(state.in_base(code, quanta) for code, quanta in state.cash(bucket).items())
        draft.add("mark", book=state.book, bucket=bucket, session=day, revision=revision, cash=cash, value=value)
    changed = mark_buckets(draft, day, market)
    numbers = {bucket: state.base.number(value) for bucket, value in state.values.items()}
    text = "; ".join([f"mark: {day}, {state.base.shown(state.total)}", *changed])
    draft.event(draft.head.book, {"session": day, "values": numbers}, text)


def _is_unpriced(unit: Unit, base: Unit, prices: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> bool:
    if unit.unit == base.unit:
        return False
    given = (prices if unit.kind == "instrument" else rates).get(unit.unit, Decimal(0))
    return not given.is_finite() or given <= 0
