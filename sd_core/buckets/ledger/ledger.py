"""The ledger's face: a method per operation, each with an idempotency key and a dry run.

What an operation writes belongs in ``facts``, ``requests`` and ``satellites``; how it is stored, in ``store``.
"""

import contextlib
import datetime as dt
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableSet, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, text

from sd_core.broker.registry import NO_BROKER
from sd_core.buckets.ledger import evaluations, facts, marks, orders, reconciliation, requests, satellites, tables
from sd_core.buckets.ledger.draft import Draft, Head, HeldError, Row, canonical, request_of
from sd_core.buckets.ledger.facts import Activity, Fact
from sd_core.buckets.ledger.marked import MarketDay
from sd_core.buckets.ledger.quanta import Unit, currency, instrument
from sd_core.buckets.ledger.reconciliation import Difference
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.tables import ACTIVITY, ACTIVITY_LEG, HELD
from sd_core.calendars import ACCOUNT_ZONE
from sd_core.errors import InputError
from sd_core.study.satellites import CORE, LIVE

_LOG = logging.getLogger(__name__)
Actor = Literal["person", "rule", "broker"]
Write = Callable[[Draft], None]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Receipt:
    """What an operation did.

    Attributes:
        entry: the entry's number; None where the fact is held.
        kind: the entry's.
        text: the event in words.
        numbers: its numbers, as JSON holds them.
        legs: source, target, unit and quantity of each leg.
        is_new: False where the same key and request had been written before.
        is_dry_run: whether nothing was written.
    """

    entry: int | None
    kind: str
    text: str
    numbers: Mapping[str, Any]
    legs: Sequence[tuple[str, str, str, str]]
    is_new: bool = True
    is_dry_run: bool = False


def now() -> dt.datetime:
    """Return the moment, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Ledger:
    """One ledger, open to operations.

    Attributes:
        store: where it is kept.
        base_currency: what a new ledger accounts in.
        clock: the moment at which entries are recorded; the day of what is asked for is New York's at that moment.
        book: the account itself (``live``), or the paper account of a satellite (``paper:NAME``).
        expected: the last entry that its user has seen, after which alone anything is booked; None: whichever it is.
    """

    store: Store
    base_currency: str = "USD"
    clock: Callable[[], dt.datetime] = now
    book: str = LIVE
    expected: int | None = None

    def paper(self, bucket: str) -> "Ledger":
        """Return the paper book of a satellite."""
        return replace(self, book=f"paper:{bucket}")

    @contextlib.contextmanager
    def state(self) -> Iterator[State]:
        """Open what the book holds now, to be read."""
        with self.store.reading() as connection:
            yield State(connection, self.book)

    @property
    def today(self) -> dt.date:
        """The day in New York, where the account's exchange is, whatever day it is elsewhere."""
        return self.clock().astimezone(ACCOUNT_ZONE).date()

    # Facts

    def record(
        self, activity: Activity, *, key: str | None = None, dry_run: bool = False, by_hand: bool = False
    ) -> Receipt:
        """Book what the broker states, or hold it; then book what was held, as far as it can be.

        The key of a fact is ``BOOK:REF``. Stating the same again returns the first entry.

        Args:
            key: in its place, for a fact that a person types.
            by_hand: whether a person states it.

        Raises:
            InputError: another fact of the same reference was stated, or its legs do not fit its kind.
        """
        content = _content(activity)
        key = key or f"{self.book}:{activity.ref}"
        with self._writing(dry_run) as connection:
            if (done := self._done(connection, key, request_of(activity.kind, self.book, content))) is not None:
                return done
            state = State(connection, self.book)
            if by_hand and activity.kind in {"deposit", "withdrawal"}:
                broker = state.setting(LIVE, "broker")
                if broker != NO_BROKER:
                    raise InputError(f"{activity.kind}: expected none by hand, as the feed of {broker} books it")
            order = activity.details.get("order")
            if by_hand and order is not None and state.order(order) is None:
                raise InputError(
                    f"{activity.kind}: order {order}: expected one on record, as `orders --all` lists them"
                )
            rows = self._store_activity(state, activity, content)
            adds: set[str] = set()
            receipt = self._book(state, rows, key, "person" if by_hand else "broker", adds)
            self._book_held(connection, adds)
            return replace(receipt, is_dry_run=dry_run)

    def deposit(
        self, amount: Decimal, code: str | None = None, *, key: str | None = None, dry_run: bool = False
    ) -> Receipt:
        """Book a deposit that a person states, split between the core and the satellites.

        Raises:
            InputError: it is not above 0, has fractions of a cent, or a feed books deposits.
        """
        code = code or self.base_currency
        unit = currency(code)
        unit.quanta(amount, "deposit", unit.minor_digits)
        if amount <= 0:
            raise InputError(f"deposit: {amount} {code}: expected more than 0")
        return self.record(self._by_hand("deposit", {code: amount}, key), key=key, dry_run=dry_run, by_hand=True)

    def withdrawn(self, request: str, *, key: str | None = None, dry_run: bool = False) -> Receipt:
        """Book that the broker has paid a withdrawal out.

        Raises:
            InputError: there is no open request of this id.
        """
        with self.state() as state:
            found = state.order(request)
            known = state.open_orders(CORE)
            key = key or f"paid-{request}"
            ref = f"hand:{key}"
            if found is None or (found.status != "open" and state.entry_of(ref) is None):
                open_now = f"one of {', '.join(known)}" if known else "there is none"
                raise InputError(f"withdraw: {request}: expected an open request, {open_now}")
            unit = state.units[found.unit]
        legs = {unit.unit: -unit.decimal(found.quanta)}
        activity = Activity(ref, "withdrawal", self.today, legs, details={"order": request})
        return self.record(activity, key=key, dry_run=dry_run, by_hand=True)

    def correct(
        self, amount: Decimal, code: str, reason: str, *, key: str | None = None, dry_run: bool = False
    ) -> Receipt:
        """Add (or, negative, take) core cash that the broker has and no activity states, with a reason.

        Raises:
            InputError: it is 0, or there is no reason.
        """
        if amount == 0:
            raise InputError(f"correct: {amount} {code}: expected other than 0")
        if not reason.strip():
            raise InputError("correct: expected a reason")
        activity = replace(self._by_hand("adjustment", {code: amount}, key), details={"reason": reason})
        return self.record(activity, key=key, dry_run=dry_run, by_hand=True)

    def _by_hand(self, kind: str, legs: Mapping[str, Decimal], key: str | None) -> Activity:
        return Activity(f"hand:{key or uuid.uuid4().hex}", kind, self.today, legs)

    # What people and rules ask for

    def withdraw(self, amount: Decimal, code: str | None = None, **how: Any) -> Receipt:
        """Ask for a withdrawal, which reserves core cash until the broker has paid it.

        Raises:
            InputError: it is not above 0, or more than what the core has free.
        """
        code = code or self.base_currency

        def write(draft: Draft) -> None:
            unit = requests.money(draft.state, code, "withdraw")
            quanta = unit.quanta(amount, "withdraw", unit.minor_digits)
            if quanta <= 0:
                raise InputError(f"withdraw: {unit.shown(quanta)}: expected more than 0")
            request = f"withdrawal-{draft.number}"
            orders.place_order(draft, orders.Order(request, CORE, "withdraw", code, quanta, code, quanta))
            draft.event(
                CORE, {"amount": unit.number(quanta), "request": request}, f"withdraw: {unit.shown(quanta)}: {request}"
            )

        return self._ask("order", {"side": "withdraw", "amount": str(amount), "currency": code}, write, **how)

    def place(self, order: orders.Order, decision: Mapping[str, Any] | None = None, **how: Any) -> Receipt:
        """Put an order on record before it is sent, with what it reserves.

        Args:
            decision: what the rules ordered it by; None: a person's.

        Raises:
            InputError: its bucket does not have what it reserves, free, or may open nothing now.
        """

        def write(draft: Draft) -> None:
            draft.state.bucket(order.bucket, order.side)
            requests.refuse_opening(draft, order)
            orders.place_order(draft, order)
            _say_order(draft, order, "order", decision)

        return self._ask("order", {**vars(order)}, write, **how)

    def propose(self, order: orders.Order, decision: Mapping[str, Any], **how: Any) -> Receipt:
        """Put an order on record that waits for a person to approve it; until then it reserves nothing.

        Args:
            decision: what the rules ordered it by.

        Raises:
            InputError: its bucket is not in use, or the ledger does not know its instrument.
        """

        def write(draft: Draft) -> None:
            draft.state.bucket(order.bucket, order.side)
            orders.propose_order(draft, order)
            _say_order(draft, order, "proposal", decision)

        return self._ask("order", {**vars(order), "status": tables.PROPOSED}, write, actor="rule", **how)

    def approve(self, client_id: str, **how: Any) -> Receipt:
        """Let a proposed order be sent, which reserves what it may take.

        Raises:
            InputError: there is no such proposal, its bucket does not have what it reserves, free, or may open nothing
                now.
        """

        def write(draft: Draft) -> None:
            order = orders.approve_order(draft, client_id)
            requests.refuse_opening(draft, order)
            what = f"{order.side} {draft.state.units[order.unit].shown(order.quanta)}"
            draft.event(order.bucket, {"order": client_id, "status": tables.APPROVED}, f"approve: {what}: {client_id}")

        return self._ask("order_step", {"order": client_id, "status": tables.APPROVED}, write, **how)

    def sent(self, client_id: str, **how: Any) -> Receipt:
        """Note that the broker has accepted an approved order.

        Raises:
            InputError: there is no such order.
        """

        def write(draft: Draft) -> None:
            bucket = orders.order_sent(draft, client_id)
            draft.event(bucket, {"order": client_id, "status": tables.SENT}, f"order {client_id}: sent")

        return self._ask("order_step", {"order": client_id, "status": tables.SENT}, write, actor="broker", **how)

    def close(self, client_id: str, status: str = "cancelled", **how: Any) -> Receipt:
        """End an order, a proposal or a request (``cancelled``, ``refused`` or ``expired``), and free what it reserves.

        Raises:
            InputError: there is no such order, or it is done.
        """

        def write(draft: Draft) -> None:
            bucket = orders.close_order(draft, client_id, status)
            draft.event(bucket, {"order": client_id, "status": status}, f"order {client_id}: {status}")

        return self._ask("order_step", {"order": client_id, "status": status}, write, **how)

    def transfer(self, source: str, target: str, amount: Decimal, code: str | None = None, **how: Any) -> Receipt:
        """Move cash between buckets; see :func:`~sd_core.buckets.ledger.requests.transfer`."""
        code = code or self.base_currency
        arguments = {"source": source, "target": target, "amount": str(amount), "currency": code}
        return self._ask(
            "transfer", arguments, lambda draft: requests.transfer(draft, source, target, amount, code), **how
        )

    def harvest(self, bucket: str, **how: Any) -> Receipt:
        """Move a satellite's gains above its line to the core; see :func:`~sd_core.buckets.ledger.requests.harvest`."""
        return self._ask("harvest", {"bucket": bucket}, lambda draft: requests.harvest(draft, bucket), **how)

    def reallocate(self, moves: Sequence[tuple[str, str, Decimal]], **how: Any) -> Receipt:
        """Make the moves of an evaluation; see :func:`~sd_core.buckets.ledger.requests.reallocate`."""
        arguments = {"moves": [[source, target, str(amount)] for source, target, amount in moves]}
        return self._ask("reallocation", arguments, lambda draft: requests.reallocate(draft, moves), **how)

    def evaluate(self, session: dt.date, **how: Any) -> Receipt:
        """Evaluate the satellites of a quarter, see :func:`~sd_core.buckets.ledger.evaluations.evaluate`.

        Where the account is set to ``apply=auto``, what it proposes is applied at once, as an entry of its own.
        """

        def go_on(connection: Connection, number: int) -> None:
            if State(connection, self.book).setting(LIVE, "apply") == evaluations.AUTO:
                # Nothing came between; what was expected is the entry before the evaluation.
                ledger = replace(self, expected=None)
                ledger._apply(connection, number, f"{self.book}:apply:{number}", "rule")  # noqa: SLF001

        arguments = {"session": session.isoformat()}
        return self._ask(
            "evaluation", arguments, lambda draft: evaluations.evaluate(draft, session), after=go_on, **how
        )

    def apply(self, *, key: str | None = None, dry_run: bool = False) -> Receipt:
        """Apply the last evaluation; see :func:`~sd_core.buckets.ledger.evaluations.apply`.

        Raises:
            InputError: there is none, or a condition is unmet.
        """
        with self._writing(dry_run) as connection:
            number = evaluations.last_evaluation(State(connection, self.book))
            if number is None:
                raise InputError("apply: expected an evaluation")
            return replace(self._apply(connection, number, key, "person"), is_dry_run=dry_run)

    def _apply(self, connection: Connection, evaluation: int, key: str | None, actor: Actor) -> Receipt:
        """Write the entry that applies an evaluation; one without moves changes settings alone."""
        kind = "reallocation" if evaluations.moves_of(State(connection, self.book), evaluation) else "set"
        key = key or uuid.uuid4().hex
        request = request_of("apply", self.book, {"evaluation": evaluation})
        if (done := self._done(connection, key, request)) is not None:
            return done
        note = evaluations.note_of(evaluation)
        draft = self._draft(connection, Head(self.book, kind, key, request, actor, *self._dates(), note=note))
        evaluations.apply(draft, evaluation)
        if kind == "reallocation" and not draft.legs:
            raise InputError("apply: expected cash that is free, of what was to be moved")
        draft.seal()
        return _written(draft)

    def rebase(self, bucket: str, reason: str, **how: Any) -> Receipt:
        """Let a satellite's drawdown begin again; see :func:`~sd_core.buckets.ledger.evaluations.rebase`."""
        arguments = {"bucket": bucket, "reason": reason}
        return self._ask("rebase", arguments, lambda draft: evaluations.rebase(draft, bucket, reason), **how)

    def assign(self, tickers: Sequence[str], bucket: str, **how: Any) -> Receipt:
        """Give free instruments to a bucket; see :func:`~sd_core.buckets.ledger.requests.assign`."""
        arguments = {"instruments": list(tickers), "bucket": bucket}
        quoted = self.base_currency
        return self._ask("assign", arguments, lambda draft: requests.assign(draft, tickers, bucket, quoted), **how)

    def reassign(
        self, ticker: str, target: str, *, for_value: bool = False, confirmed: str | None = None, **how: Any
    ) -> Receipt:
        """Move an instrument with its shares; see :func:`~sd_core.buckets.ledger.requests.reassign`."""
        arguments = {"instrument": ticker, "target": target, "for_value": for_value, "confirmed": confirmed}

        def write(draft: Draft) -> None:
            by_person = draft.head.actor == "person"
            requests.reassign(draft, ticker, target, for_value=for_value, confirmed=confirmed, by_person=by_person)

        return self._ask("reassignment", arguments, write, **how)

    def reverse(self, number: int, **how: Any) -> Receipt:
        """Take an entry back; see :func:`~sd_core.buckets.ledger.requests.reverse`."""
        how["reverses"] = number
        return self._ask("reversal", {"reverses": number}, lambda draft: requests.reverse(draft, number), **how)

    def mark(
        self,
        session: dt.date,
        prices: Mapping[str, Decimal],
        rates: Mapping[str, Decimal] | None = None,
        *,
        market: MarketDay | None = None,
        **how: Any,
    ) -> Receipt:
        """Value and judge every bucket at the closes of a session; see :func:`~sd_core.buckets.ledger.marks.mark`."""
        rates, market = rates or {}, market or MarketDay()
        arguments = {
            "session": session.isoformat(),
            "prices": {unit: str(price) for unit, price in prices.items()},
            "rates": {code: str(rate) for code, rate in rates.items()},
            "market": [market.regime.name, repr(market.cash_return), sorted(market.trend_lost)],
        }
        return self._ask("mark", arguments, lambda draft: marks.mark(draft, session, prices, rates, market), **how)

    def book_session(
        self,
        activities: Callable[[State], Sequence[Activity]],
        session: dt.date,
        prices: Mapping[str, Decimal],
        market: MarketDay,
        key: str,
        *,
        dry_run: bool = False,
    ) -> list[Receipt]:
        """Book what a rule does in a session and mark it, in one transaction.

        Args:
            activities: what it does, by what the book holds before.
            session, prices, market: as of :meth:`mark`.
            key: of the mark.

        Raises:
            InputError: the session is not after the last one marked, or a condition of the mark is unmet.
        """
        request = request_of("mark", self.book, {"session": session.isoformat()})
        with self._writing(dry_run) as connection:
            if (done := self._done(connection, key, request)) is not None:
                return [done]
            last = State(connection, self.book).last_mark
            if last is not None and session.isoformat() <= last:
                raise InputError(f"mark: {session}: expected a session after {last}, the last one marked")
            receipts = []
            for activity in activities(State(connection, self.book)):
                state = State(connection, self.book)
                rows = self._store_activity(state, activity, _content(activity))
                receipts.append(self._book(state, rows, f"{self.book}:{activity.ref}", "rule", set()))
            draft = self._draft(connection, Head(self.book, "mark", key, request, "rule", *self._dates()))
            marks.mark(draft, session, prices, {}, market)
            draft.seal()
            return [replace(one, is_dry_run=dry_run) for one in (*receipts, _written(draft))]

    def reconcile(
        self, statement: Mapping[str, Decimal], *, shares: Mapping[str, str] | None = None, **how: Any
    ) -> tuple[Receipt, list[Difference]]:
        """Compare what the broker has with what is booked; correct what is small, and block what is not.

        Args:
            statement: what the broker has of each unit; one that it leaves out counts as 0.
            shares: which of its units are instruments, with the currency that each is quoted in, where the broker
                itself was read, which ends its silence; None: a statement of a person, of units that the ledger knows.

        Raises:
            InputError: it names a unit that the ledger does not know.
        """
        found: list[Difference] = []

        def write(draft: Draft) -> None:
            for ref in draft.state.held():
                held, _ = _as_stated(_stored(draft.connection, self.book, ref))
                for name in held.legs:
                    draft.introduce(draft.state.units.get(name) or self._unit(name, held))
            if shares is not None:
                for name in sorted(set(statement) - set(draft.state.units)):
                    draft.introduce(instrument(name, shares[name]) if name in shares else currency(name))
                reconciliation.end_silence(draft)
            found.extend(reconciliation.compare(draft.state, statement, draft.head.effective))
            reconciliation.reconcile(draft, found)

        def correct(connection: Connection, number: int) -> None:
            state = State(connection, self.book)
            for one in found:
                if one.action == reconciliation.CORRECT:
                    ref = f"reconciliation:{number}:{one.unit}"
                    legs = {one.unit: state.units[one.unit].decimal(one.difference)}
                    details = {"reason": f"reconciliation, entry {number}"}
                    activity = Activity(ref, "adjustment", self.today, legs, details=details)
                    rows = self._store_activity(state, activity, _content(activity))
                    self._book(State(connection, self.book), rows, f"{self.book}:{ref}", "rule", set())

        arguments = {unit: f"{amount:f}" for unit, amount in sorted(statement.items())}
        if shares is not None:
            how["actor"] = "broker"
        return self._ask("reconciliation", arguments, write, after=correct, **how), found

    def fall_silent(self, since: str, **how: Any) -> Receipt:
        """Stop all openings, as the broker states nothing since a date; a later reading of it allows them again."""

        def write(draft: Draft) -> None:
            draft.add("lock", subject=LIVE, cause=reconciliation.SILENT)
            draft.event(LIVE, {"since": since}, f"the broker is silent since {since}: nothing is opened, exits run")

        return self._ask("reconciliation", {"silent_since": since}, write, actor="rule", **how)

    # Satellites

    def create(self, satellite: satellites.Satellite, *, key: str | None = None, dry_run: bool = False) -> Receipt:
        """Add a satellite in research, with a paper book whose cash is its share of the account.

        Raises:
            InputError: see :func:`~sd_core.buckets.ledger.satellites.create`.
        """
        key = key or uuid.uuid4().hex
        arguments = dict(vars(satellite).items())
        arguments |= {"target": str(satellite.target), "min_pct": str(satellite.min_pct)}
        request = request_of("create", self.book, arguments)
        with self._writing(dry_run) as connection:
            if (done := self._done(connection, key, request)) is not None:
                return done
            draft = self._draft(connection, Head(self.book, "create", key, request, "person", *self._dates()))
            satellites.create(draft, satellite, self.base_currency)
            draft.seal()
            self._open_paper(connection, satellite.name)
            return replace(_written(draft), is_dry_run=dry_run)

    def _open_paper(self, connection: Connection, bucket: str) -> None:
        """Open a satellite's paper book; its cash is max(target, least share) of the account, none of an empty one."""
        state = State(connection)
        share = max(state.fraction(bucket, "target"), state.fraction(bucket, "min_pct"))
        base = state.base
        cash = int(share * state.total) // base.minor * base.minor
        paper = self.paper(bucket)
        if cash:
            activity = Activity("opening", "opening", self.today, {base.unit: base.decimal(cash)})
            rows = paper._store_activity(State(connection, paper.book), activity, _content(activity))  # noqa: SLF001
            activity_ref, kind = "opening", "opening"
        else:
            activity_ref, kind, rows = None, "book", {}
        request = request_of(kind, paper.book, {"cash": base.number(cash)})
        head = Head(paper.book, kind, f"{paper.book}:opening", request, "rule", *self._dates(), activity=activity_ref)
        draft = Draft(connection, head, State(connection, paper.book))
        draft.add("book", book=paper.book, base_currency=base.unit)
        draft.post("outside", bucket, base.unit, cash, "opening")
        draft.event(bucket, {"cash": base.number(cash)}, f"opening: {base.shown(cash)} on paper for {bucket}")
        draft.seal(rows)

    def start(self, bucket: str, early: str | None = None, **how: Any) -> Receipt:
        """Let a satellite accumulate; see :func:`~sd_core.buckets.ledger.satellites.start`."""

        def write(draft: Draft) -> None:
            paper = State(draft.connection, f"paper:{bucket}")
            satellites.start(draft, bucket, paper.sessions, early)

        return self._ask("start", {"bucket": bucket, "early": early}, write, **how)

    def abandon(self, bucket: str, **how: Any) -> Receipt:
        """Retire a satellite from research; see :func:`~sd_core.buckets.ledger.satellites.abandon`."""
        return self._ask("abandon", {"bucket": bucket}, lambda draft: satellites.abandon(draft, bucket), **how)

    def pause(self, bucket: str, **how: Any) -> Receipt:
        """Stop what a satellite opens; see :func:`~sd_core.buckets.ledger.satellites.pause`."""
        return self._ask("pause", {"bucket": bucket}, lambda draft: satellites.pause(draft, bucket), **how)

    def resume(self, bucket: str, **how: Any) -> Receipt:
        """Return a paused satellite to what it was; see :func:`~sd_core.buckets.ledger.satellites.resume`."""
        return self._ask("resume", {"bucket": bucket}, lambda draft: satellites.resume(draft, bucket), **how)

    def retire(self, bucket: str, **how: Any) -> Receipt:
        """End a paused satellite; see :func:`~sd_core.buckets.ledger.satellites.retire`."""
        return self._ask("retire", {"bucket": bucket}, lambda draft: satellites.retire(draft, bucket), **how)

    def boost(self, bucket: str, days: int, **how: Any) -> Receipt:
        """Raise what a satellite opens; see :func:`~sd_core.buckets.ledger.satellites.boost`."""
        return self._ask(
            "boost", {"bucket": bucket, "days": days}, lambda draft: satellites.boost(draft, bucket, days), **how
        )

    def unlock(self, bucket: str, **how: Any) -> Receipt:
        """Lift a lock by losses; see :func:`~sd_core.buckets.ledger.satellites.unlock`."""
        return self._ask("unlock", {"bucket": bucket}, lambda draft: satellites.unlock(draft, bucket), **how)

    def halt(self, *, lift: bool = False, **how: Any) -> Receipt:
        """Stop all openings, or allow them again; see :func:`~sd_core.buckets.ledger.satellites.halt`."""
        kind = "lift" if lift else "halt"
        return self._ask(kind, {}, lambda draft: satellites.halt(draft, lift=lift), **how)

    def note(self, bucket: str, note: str, **how: Any) -> Receipt:
        """Replace a bucket's note."""
        return self._ask(
            "note", {"bucket": bucket, "text": note}, lambda draft: satellites.note(draft, bucket, note), **how
        )

    def set(self, subject: str, values: Mapping[str, Any], *, scale: bool = False, **how: Any) -> Receipt:
        """Change settings; see :func:`~sd_core.buckets.ledger.satellites.change`."""
        arguments = {"subject": subject, "values": {name: str(value) for name, value in values.items()}, "scale": scale}
        return self._ask("set", arguments, lambda draft: satellites.change(draft, subject, values, scale=scale), **how)

    # How an entry is written

    @contextlib.contextmanager
    def _writing(self, dry_run: bool) -> Iterator[Connection]:
        if self.store.prepared:
            _LOG.info("ledger migrated; as it was before: %s", self.store.prepared)
        with self.store.writing(keep=not dry_run) as connection:
            if not self.store.has_begun(connection):
                self._begin(connection)
            yield connection

    def _begin(self, connection: Connection) -> None:
        """Write the first entry: the account, its currency and its core."""
        request = request_of("book", LIVE, {"base_currency": self.base_currency})
        draft = self._draft(connection, Head(LIVE, "book", LIVE, request, "person", *self._dates()))
        draft.introduce(currency(self.base_currency))
        draft.add("book", book=LIVE, base_currency=self.base_currency)
        draft.add("bucket", bucket=CORE, kind="core", name="Core")
        draft.event(
            CORE, {"base_currency": self.base_currency}, f"book: an account in {self.base_currency}, all the core's"
        )
        draft.seal()

    def _dates(self) -> tuple[str, str]:
        """Return today and the moment, in ISO."""
        moment = self.clock()
        return self.today.isoformat(), moment.isoformat(timespec="milliseconds")

    def _draft(self, connection: Connection, head: Head) -> Draft:
        return Draft(connection, head, State(connection, head.book))

    def _ask(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        write: Write,
        *,
        key: str | None = None,
        dry_run: bool = False,
        actor: Actor = "person",
        note: str | None = None,
        reverses: int | None = None,
        after: Callable[[Connection, int], None] | None = None,
    ) -> Receipt:
        """Write one entry that was asked for, unless its key was used before.

        Raises:
            InputError: it is refused, or the key was used for another request.
        """
        key = key or uuid.uuid4().hex
        request = request_of(kind, self.book, arguments)
        with self._writing(dry_run) as connection:
            if (done := self._done(connection, key, request)) is not None:
                return done
            head = Head(self.book, kind, key, request, actor, *self._dates(), reverses=reverses, note=note)
            draft = self._draft(connection, head)
            write(draft)
            draft.seal()
            if after is not None:
                after(connection, draft.number)
            self._book_held(connection, draft.adds)
            return replace(_written(draft), is_dry_run=dry_run)

    def _done(self, connection: Connection, key: str, request: str) -> Receipt | None:
        """Return what the same key and request did before; None: they are new, and may be booked.

        Raises:
            InputError: the key was used for another request, or the last entry is not the expected one.
        """
        query = text("select number, request, kind from entry where key = :key")
        found = connection.execute(query, {"key": key}).first()
        if found is None:
            last = State(connection).last_entry
            if self.expected not in {None, last}:
                what = f"`sdlab bucket events --after {self.expected}` lists what was booked since"
                raise InputError(f"expected {self.expected} to be the last entry, is {last}: {what}")
            return None
        if found.request != request:
            raise InputError(
                f"key {key}: expected a new one: entry {found.number}, {found.kind}, asked for something else"
            )
        return replace(_receipt(connection, found.number), is_new=False)

    # Facts: stored, then booked or held

    def _store_activity(self, state: State, activity: Activity, content: Mapping[str, Any]) -> Rows:
        """Store a fact with its legs in quanta, unless it is held already; return its rows by table.

        Raises:
            InputError: another fact of its reference is held.
        """
        raw = canonical(content)
        held = state.stated(activity.ref)
        if held is not None:
            if held != raw:
                raise InputError(
                    f"{activity.kind} {activity.ref}: expected what was stated before under this reference"
                )
            return _stored(state.connection, self.book, activity.ref)
        place = f"{activity.kind} {activity.ref}"
        legs = []
        for name, amount in sorted(activity.legs.items()):
            unit = state.units.get(name) or self._unit(name, activity)
            legs.append({"book": self.book, "ref": activity.ref, "unit": name, "quanta": unit.quanta(amount, place)})
        row: dict[str, Any] = {
            "book": self.book,
            "ref": activity.ref,
            "kind": activity.kind,
            "effective": activity.effective.isoformat(),
        }
        at = activity.at.isoformat() if activity.at else activity.effective.isoformat()
        row |= {"at": at, "previous": activity.previous, "raw": raw}
        if not legs or any(leg["quanta"] == 0 for leg in legs):
            raise InputError(f"{place}: expected amounts other than 0")
        ACTIVITY.add(state.connection, [row])
        ACTIVITY_LEG.add(state.connection, legs)
        return {ACTIVITY.name: [row], ACTIVITY_LEG.name: legs}

    def _unit(self, name: str, activity: Activity) -> Unit:
        """Return a unit that the ledger does not know yet.

        It is a currency where something is quoted in it or the kind moves money alone; else an instrument.
        """
        lots = activity.details.get("lots", {})
        moves_money = activity.kind in facts.MONEY_ALONE and name not in activity.quoted and name not in lots
        if moves_money or name in activity.quoted.values():
            return currency(name)
        return instrument(name, activity.quoted.get(name, self.base_currency))

    def _book(self, state: State, rows: Rows, key: str, actor: Actor, adds: MutableSet[str]) -> Receipt:
        """Book a stored fact; a receipt without an entry where it is held.

        Args:
            rows: of the fact, by table.
            adds: what held facts may have waited for; what this one adds is added.
        """
        activity, fact = _as_stated(rows)
        busted = state.entry_of(activity.previous) if activity.kind == "bust" and activity.previous else None
        if activity.kind == "bust" and busted is None:
            return self._hold(state, activity, f"{activity.previous} is not booked")
        request = request_of(activity.kind, self.book, _content(activity))
        recorded = self._dates()[1]
        head = Head(
            self.book,
            facts.ENTRY_OF[activity.kind],
            key,
            request,
            actor,
            fact.effective,
            recorded,
            activity=fact.ref,
            reverses=busted.number if busted else None,
            note=activity.details.get("reason"),
        )
        draft = Draft(state.connection, head, state)
        for name in fact.legs:
            draft.introduce(state.units.get(name) or self._unit(name, activity))
        try:
            facts.book_fact(draft, fact)
        except HeldError as error:
            return self._hold(state, activity, str(error))
        draft.seal(rows)
        adds |= draft.adds
        return _written(draft)

    def _hold(self, state: State, activity: Activity, reason: str) -> Receipt:
        """Put on record that a fact is held, and what it waits for, unless it was before."""
        if not state.is_held(activity.ref):
            row = {"book": self.book, "ref": activity.ref, "reason": reason}
            rows = [row | {"waits_for": one} for one in facts.waits_for(activity, state.units)]
            HELD.add(state.connection, rows)
        return Receipt(None, facts.ENTRY_OF[activity.kind], f"{activity.kind} {activity.ref}: held: {reason}", {}, ())

    def _book_held(self, connection: Connection, adds: MutableSet[str]) -> None:
        """Book held facts, the oldest first, as long as one can be with what others have added."""

        def book(ref: str) -> bool:
            rows = _stored(connection, self.book, ref)
            state = State(connection, self.book)
            return self._book(state, rows, f"{self.book}:{ref}", "broker", adds).entry is not None

        booked = bool(adds)
        while booked:
            booked = any(book(ref) for ref in State(connection, self.book).bookable(adds))


def _say_order(draft: Draft, order: orders.Order, kind: str, decision: Mapping[str, Any] | None) -> None:
    text = f"{kind}: {order.side} {draft.state.units[order.unit].shown(order.quanta)}"
    numbers = {"order": order.client_id} | ({"decision": dict(decision)} if decision else {})
    draft.event(order.bucket, numbers, f"{text}: {order.client_id}")


def _content(activity: Activity) -> dict[str, Any]:
    """Return an activity as JSON holds it."""
    return {
        "kind": activity.kind,
        "effective": activity.effective.isoformat(),
        "legs": {unit: f"{amount.normalize():f}" for unit, amount in sorted(activity.legs.items())},
        "quoted": dict(activity.quoted),
        "details": dict(activity.details),
        "previous": activity.previous,
    }


_OF_ACTIVITY = {
    table.name: text(f"select * from {table.name} where book = :book and ref = :ref")
    for table in (ACTIVITY, ACTIVITY_LEG)
}


def _stored(connection: Connection, book: str, ref: str) -> Rows:
    """Return the rows of a stored activity, by table."""
    where = {"book": book, "ref": ref}
    return {
        table.name: [dict(row) for row in connection.execute(_OF_ACTIVITY[table.name], where).mappings()]
        for table in (ACTIVITY, ACTIVITY_LEG)
    }


def _as_stated(rows: Rows) -> tuple[Activity, Fact]:
    """Return a stored activity as it was stated, and in quanta."""
    (row,) = rows[ACTIVITY.name]
    raw = json.loads(row["raw"])
    stated = {unit: Decimal(amount) for unit, amount in raw["legs"].items()}
    effective = dt.date.fromisoformat(row["effective"])
    ref, kind, previous = row["ref"], row["kind"], row["previous"]
    activity = Activity(ref, kind, effective, stated, raw["quoted"], raw["details"], previous)
    in_quanta = {leg["unit"]: leg["quanta"] for leg in rows[ACTIVITY_LEG.name]}
    return activity, Fact(ref, kind, row["effective"], in_quanta, raw["details"], previous)


def _receipt(connection: Connection, number: int) -> Receipt:
    """Return what an entry did, from its rows."""
    row = connection.execute(text("select book, kind from entry where number = :number"), {"number": number}).one()
    event = connection.execute(text("select numbers, text from event where entry = :number"), {"number": number}).one()
    state = State(connection, row.book)
    legs = [(leg.source, leg.target, leg.unit, state.units[leg.unit].number(leg.quanta)) for leg in state.legs(number)]
    return Receipt(number, row.kind, event.text, json.loads(event.numbers), legs)


def _written(draft: Draft) -> Receipt:
    """Return what an entry did that was just sealed."""
    (event,) = draft.rows["event"]
    legs = [
        (source, target, unit, draft.state.units[unit].number(quanta)) for source, target, unit, quanta in draft.legs
    ]
    return Receipt(draft.number, draft.head.kind, event["text"], json.loads(event["numbers"]), legs)
