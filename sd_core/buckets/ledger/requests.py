"""What people and rules ask for, which may be refused: transfers, reassignments, reversals, and who owns what.

Each function writes one entry's rows and event, or raises :class:`InputError` that names what is unmet. What the broker
states belongs in ``facts``; a satellite's life in ``satellites``.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from sd_core.buckets.ledger.draft import Draft, HeldError
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.quanta import Unit, instrument
from sd_core.buckets.ledger.reversals import mirror
from sd_core.buckets.ledger.satellites import activate_if_due, refuse_currency, taken_by
from sd_core.buckets.ledger.splits import harvest_of
from sd_core.buckets.ledger.state import BREAKER, State
from sd_core.calendars import ACCOUNT_CALENDAR, ONE_DAY, calendar_sessions
from sd_core.errors import InputError
from sd_core.study.satellites import CORE, LIVE

# Sessions after which a rate is too old to value money at.
SESSIONS_OF_A_RATE = 5
# Whose entries may be taken back by a person: those that no broker stated.
REVERSIBLE = {"transfer", "harvest", "reallocation", "reassignment"}


def transfer(draft: Draft, source: str, target: str, amount: Decimal, code: str) -> None:
    """Move cash from one bucket to another.

    Raises:
        InputError: the amount is not above 0, a bucket is unknown, retired or the other, the source has less free, or
            the core would have less than its share.
    """
    state = draft.state
    unit = money(state, code, "transfer")
    quanta = unit.quanta(amount, "transfer", unit.minor_digits)
    for bucket in (source, target):
        state.bucket(bucket, "transfer")
    if quanta <= 0:
        raise InputError(f"transfer: {unit.shown(quanta)}: expected more than 0")
    if source == target:
        raise InputError(f"transfer: {source} to {target}: expected two buckets")
    refuse_stale_rates(state, "transfer", draft.head.effective)
    _refuse_beyond_free(state, source, unit, quanta, "transfer")
    if source == CORE:
        _refuse_below_share(state, unit, quanta)
    draft.post(source, target, unit.unit, quanta, "transfer")
    activate_if_due(draft, {source: -quanta, target: quanta}, unit.unit)
    numbers = {"amount": unit.number(quanta), "currency": code, "source": source, "target": target}
    draft.event(
        target if source == CORE else source, numbers, f"transfer: {unit.shown(quanta)} from {source} to {target}"
    )


def harvest(draft: Draft, bucket: str) -> None:
    """Move what a satellite has above its harvest line to the core, as far as its free cash goes.

    Raises:
        InputError: there is less than 1 to move.
    """
    state = draft.state
    state.satellite(bucket, "harvest")
    base = state.base
    quanta = harvest_of(state, bucket)
    if quanta < 10**base.scale:
        value, total = state.values[bucket], state.total
        raise InputError(
            f"harvest {bucket}: expected at least 1 above its line and free: value {base.number(value)} of"
            f" {base.number(total)}, free {base.number(state.free(bucket, base.unit))}"
        )
    draft.post(bucket, CORE, base.unit, quanta, "harvest")
    draft.event(bucket, {"amount": base.number(quanta)}, f"harvest: {base.shown(quanta)} from {bucket} to core")


def reallocate(draft: Draft, moves: Sequence[tuple[str, str, Decimal]]) -> None:
    """Make the moves of an evaluation, in the base currency: (source, target, amount).

    Raises:
        InputError: a move is refused as a transfer would be, or draws on the core.
    """
    state, base = draft.state, draft.state.base
    drawn: dict[str, int] = {}
    for source, target, amount in moves:
        state.satellite(source, "reallocation")
        state.bucket(target, "reallocation")
        quanta = base.quanta(amount, "reallocation", base.minor_digits)
        if quanta <= 0 or source == target:
            raise InputError(f"reallocation: {amount} from {source} to {target}: expected more than 0, and two buckets")
        drawn[source] = drawn.get(source, 0) + quanta
        _refuse_beyond_free(state, source, base, drawn[source], "reallocation")
        draft.post(source, target, base.unit, quanta, "reallocation")
    numbers = {"moves": [[source, target, str(amount)] for source, target, amount in moves]}
    draft.event(CORE, numbers, f"reallocation: {len(moves)} moves")


def assign(draft: Draft, tickers: Sequence[str], bucket: str, quote_currency: str) -> None:
    """Give instruments to a bucket that no other owns or holds.

    Raises:
        InputError: one belongs to another bucket, or the core has shares of it.
    """
    draft.state.bucket(bucket, "assign")
    for ticker in tickers:
        refuse_currency(draft.state, ticker, "assign")
        if (owner := taken_by(draft.state, ticker, bucket)) is not None:
            raise InputError(
                f"assign: {ticker} belongs to {owner}: expected an instrument that is free; `reassign` moves it"
            )
        draft.introduce(instrument(ticker, quote_currency))
        draft.add("universe", subject=ticker, owner=bucket)
    draft.event(bucket, {"instruments": list(tickers)}, f"assign: {', '.join(tickers)} to {bucket}")


def reassign(
    draft: Draft,
    ticker: str,
    target: str,
    *,
    for_value: bool = False,
    confirmed: str | None = None,
    by_person: bool = True,
) -> None:
    """Move an instrument to another bucket with all its shares; lots keep their cost and date.

    Args:
        for_value: whether the target pays what it is worth.
        confirmed: the name of the bucket that gives it, typed by a person; the core takes an instrument only so.

    Raises:
        InputError: there is an open order, nothing to move, the target cannot pay, or the core is not confirmed.
    """
    state = draft.state
    state.bucket(target, "reassign")
    source = _giver(state, ticker, target)
    if orders := state.open_orders(source, ticker):
        raise InputError(f"reassign: {ticker}: expected no open order, has {', '.join(orders)}")
    if target == CORE and (confirmed != source or not by_person):
        raise InputError(f"reassign: {ticker} to core: expected --confirm {source}: only a person adds to the core")
    quanta = state.balance(source, ticker)
    worth = state.worth(ticker, quanta, source)
    for lot in draft.use_lots(source, ticker, quanta, None):
        draft.open_lot(target, ticker, lot.opened, lot.quanta, lot.cost, parent=lot.lot)
    draft.post(source, target, ticker, quanta, "reassignment")
    draft.add("universe", subject=ticker, owner=target)
    base = state.base
    if for_value:
        _refuse_beyond_free(state, target, base, worth, "reassign")
        if target == CORE:
            _refuse_below_share(state, base, 0)
        draft.post(target, source, base.unit, worth, "reassignment")
    numbers = {
        "instrument": ticker,
        "quantity": state.units[ticker].number(quanta),
        "value": base.number(worth),
        "source": source,
        "target": target,
        "is_paid": for_value,
    }
    draft.event(target, numbers, f"reassign: {state.units[ticker].shown(quanta)} from {source} to {target}")


def reverse(draft: Draft, number: int) -> None:
    """Take back an entry that people or rules asked for.

    Raises:
        InputError: there is none of this number, it moved nothing, the broker stated it, it was reversed before, or
            what it moved is no longer there.
    """
    state = draft.state
    found = state.entry(number)
    if found is None:
        raise InputError(f"reverse: {number}: expected an entry of {state.book} up to {state.last_entry}")
    if found.activity is not None:
        raise InputError(
            f"reverse: {number}: expected an entry that was asked for, the broker stated this {found.kind}"
        )
    if found.kind not in REVERSIBLE:
        instead = "; another mark of the session takes its place" if found.kind == "mark" else ""
        kinds = ", ".join(sorted(REVERSIBLE))
        raise InputError(f"reverse: {number}: expected one of {kinds}, was {found.kind}{instead}")
    if (by := state.reversed_by(number)) is not None:
        raise InputError(f"reverse: {number}: expected an entry that holds, {by} reverses it")
    for leg in state.legs(number):
        state.bucket(leg.source, "reverse")
        unit = state.units[leg.unit]
        _refuse_beyond_free(state, leg.target, unit, leg.quanta, "reverse")
    try:
        numbers = mirror(draft, number)
    except HeldError as error:
        raise InputError(f"reverse: {number}: expected what it moved to be there: {error}") from None
    draft.event(numbers.pop("bucket"), numbers, f"reverse: entry {number}, {found.kind}")


def refuse_opening(draft: Draft, order: Order) -> None:
    """Refuse a purchase where nothing may be opened; sales are exits, and always may.

    Raises:
        InputError: it may not be opened now; each reason is named.
    """
    if unmet := unmet_at_opening(draft.state, order, draft.head.effective):
        raise InputError("\n".join(f"buy {order.unit}: {one}" for one in unmet))


def unmet_at_opening(state: State, order: Order, today: str) -> list[str]:
    """Return why a purchase may not be made today; nothing for a sale.

    The account is halted, blocked or silent, the instrument is blocked, or the bucket is overdrawn or not active.
    """
    if order.side != "buy":
        return []
    status = state.buckets[order.bucket].status
    overdrawn = [code for code, quanta in state.cash(order.bucket).items() if quanta < 0]
    unmet = [f"the account is locked: {cause}" for cause in state.locks(LIVE, today)]
    unmet += [f"{order.bucket} is locked: {BREAKER}"] if BREAKER in state.locks(order.bucket, today) else []
    unmet += [f"{order.unit} is locked: {cause}" for cause in state.locks(order.unit, today)]
    unmet += [f"{order.bucket} is overdrawn in {code}" for code in overdrawn]
    if state.book == LIVE and status not in {"core", "active"}:
        unmet.append(f"{order.bucket} is {status}: expected active")
    return unmet


def money(state: State, code: str, place: str) -> Unit:
    """Return a currency of the book.

    Raises:
        InputError: the book has none of this code.
    """
    known = [unit for unit, of in state.units.items() if of.kind == "currency"]
    if code not in known:
        raise InputError(f"{place}: {code}: expected one of {', '.join(known)}")
    return state.units[code]


def refuse_stale_rates(state: State, place: str, today: str) -> None:
    """Refuse to value foreign cash at a rate older than five sessions of New York's exchange.

    Raises:
        InputError: there is no rate, or more than five sessions came after it.
    """
    held = {unit for (_, unit) in state.balances if state.units[unit].kind == "currency"} - {state.base.unit}
    for code in sorted(held):
        session = state.rates.get(code, ("", Decimal(0)))[0]
        if not session or _sessions_after(session, today) > SESSIONS_OF_A_RATE:
            raise InputError(
                f"{place}: {code}: expected a rate of the last five sessions, the last is of {session or 'none'}"
            )


def _sessions_after(session: str, today: str) -> int:
    """Return how many sessions came after one, today's included."""
    first, last = (dt.date.fromisoformat(day) for day in (session, today))
    return len(calendar_sessions(ACCOUNT_CALENDAR, first + ONE_DAY, last)) if last > first else 0


def _giver(state: State, ticker: str, target: str) -> str:
    holders = [owner for owner, unit in state.balances if unit == ticker]
    if not holders:
        raise InputError(f"reassign: {ticker}: expected a position; `assign` gives an instrument without one")
    if holders[0] == target:
        raise InputError(f"reassign: {ticker}: expected another bucket, {target} has it")
    return holders[0]


def _refuse_beyond_free(state: State, bucket: str, unit: Unit, quanta: int, place: str) -> None:
    free = state.free(bucket, unit.unit)
    if quanta > free:
        raise InputError(f"{place}: {unit.shown(quanta)}: expected at most {unit.number(free)}, what {bucket} has free")


def _refuse_below_share(state: State, unit: Unit, quanta: int) -> None:
    """Refuse what would leave the core less than 1 − budget of the account."""
    after = state.values[CORE] - state.in_base(unit.unit, quanta)
    share = 1 - state.fraction(LIVE, "budget")
    least = share * state.total
    if after < least:
        base = state.base
        most = max(0, int(state.values[CORE] - least)) // base.minor * base.minor
        raise InputError(
            f"transfer: {unit.shown(quanta)}: expected at most {base.number(most)}, what the core has above"
            f" {share:.0%} of {base.shown(state.total)}"
        )
