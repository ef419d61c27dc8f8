"""What a broker states, put into a ledger: read steadily, booked, and reconciled with what the account has.

What an activity means in the ledger belongs in ``ledger.facts``, what is done about a difference in
``ledger.reconciliation``.
"""

import datetime as dt
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sd_core.broker import protocol
from sd_core.broker.protocol import Broker, UnreachableError
from sd_core.broker.reading import Reading, ask, read
from sd_core.buckets.ledger.facts import ENTRY_OF, Activity
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.reconciliation import SILENT, Difference
from sd_core.buckets.ledger.tables import PARTIAL, SENT
from sd_core.calendars import ONE_DAY, calendar_sessions
from sd_core.errors import InputError, NotReadyError
from sd_core.study.satellites import LIVE

# Some activities are listed days after they moved the account.
WEEK = dt.timedelta(days=7)
# Sessions without a reading after which nothing is opened.
SILENT_SESSIONS = 2
Wait = Callable[[float], None]


@dataclass(frozen=True)
class Fed:
    """What a reading of the broker came to.

    Attributes:
        receipt: of the reconciliation.
        differences: every unit, compared.
        booked: what was booked from it, but for corrections.
        held: references of activities that are stored and not booked.
        refused: activities that the ledger cannot book by itself, with the reason.
    """

    receipt: Receipt
    differences: Sequence[Difference]
    booked: Sequence[Receipt]
    held: Sequence[str]
    refused: Sequence[str]


def reconcile(ledger: Ledger, broker: Broker, *, calendar: str = "XNYS", wait: Wait = time.sleep) -> Fed:
    """Book what the broker states since the last reading, and a week before it; then compare books and account.

    The first reading of a book without any fact opens it with what the account has.

    Args:
        ledger: which exists: a setting names its broker.
        calendar: of the sessions after which a silent broker stops openings.
        wait: pauses for so many seconds.

    Raises:
        NotReadyError: the broker does not answer; after two sessions the account is locked until it does.
    """
    try:
        reading = read(broker, _read_from(ledger), wait)
        ended = list(_ended(ledger, broker, wait))
    except UnreachableError as error:
        raise NotReadyError(_fall_silent(ledger, calendar, str(error))) from error
    booked, refused = _book(ledger, reading)
    for client_id, status in ended:
        ledger.close(client_id, status, actor="broker")
    shares = dict.fromkeys(reading.account.shares, reading.account.currency)
    receipt, differences = ledger.reconcile(reading.account.balances, shares=shares)
    with ledger.state() as state:
        held = state.held()
    return Fed(receipt, differences, booked, held, refused)


def fact_of(stated: protocol.Activity) -> Activity:
    """Return an activity as the ledger takes it."""
    details = {
        "order": stated.order,
        "fee": f"{stated.fee:f}" if stated.fee else None,
        "ratio": stated.ratio,
        "unit": stated.unit if stated.kind in {"dividend", "fee"} else None,
        "ex_date": stated.ex_date and stated.ex_date.isoformat(),
        "reason": stated.says,
    }
    known = {name: value for name, value in details.items() if value is not None}
    shares = [unit for unit in stated.legs if unit in {stated.unit, stated.old}]
    money = [unit for unit in stated.legs if unit not in shares]
    quoted = dict.fromkeys(shares, money[0]) if len(money) == 1 else {}
    return Activity(stated.ref, stated.kind, stated.effective, stated.legs, quoted, known, stated.previous, stated.at)


def _read_from(ledger: Ledger) -> dt.datetime:
    """Return the moment after which the broker lists what may be new."""
    with ledger.state() as state:
        last = state.last_reading
    return (last or ledger.clock()) - WEEK


def _fall_silent(ledger: Ledger, calendar: str, said: str) -> str:
    """Lock an account whose broker was not read for two sessions; return what is said of it."""
    today = ledger.today
    with ledger.state() as state:
        last = state.last_reading
        is_locked = SILENT in state.locks(LIVE, today.isoformat())
    if last is None:
        return f"{said}: it was never read"
    missed = calendar_sessions(calendar, last.date() + ONE_DAY, today) if last.date() < today else ()
    if len(missed) >= SILENT_SESSIONS and not is_locked:
        ledger.fall_silent(last.date().isoformat())
        is_locked = True
    so = "nothing is opened until it answers, exits run" if is_locked else "after two sessions nothing is opened"
    return f"{said}: it was read on {last.date()} last; {so}"


def _book(ledger: Ledger, reading: Reading) -> tuple[list[Receipt], list[str]]:
    """Book a reading's activities, or open the book; return what was booked, and what the ledger refuses."""
    booked, refused = [], []
    for fact in _new(ledger, reading):
        if fact.kind not in ENTRY_OF:
            refused.append(_to_be_recorded(fact))
            continue
        try:
            booked.append(ledger.record(fact))
        except InputError as error:
            refused.append(str(error))
    return [one for one in booked if one.entry is not None], refused


def _to_be_recorded(fact: Activity) -> str:
    """Return what a person is to type about an activity that only a person can read."""
    legs = " ".join(f"{unit}={amount:f}" for unit, amount in fact.legs.items()) or "UNIT=QUANTITY"
    command = f"sdlab bucket record KIND {fact.ref} {legs} --date {fact.effective}"
    says = fact.details.get("reason", fact.kind)
    kinds = "split (with --detail ratio=2), rename, merger, spin_off, …"
    return f"{fact.ref}: {says}: expected a person to record what it is: `{command}`, where KIND is {kinds}"


def _new(ledger: Ledger, reading: Reading) -> list[Activity]:
    """Return what of a reading is to be recorded: its opening, or the activities that are not stored."""
    with ledger.state() as state:
        if not state.has_facts:
            return [_opening(reading, ledger.today)] if reading.account.balances else []
        opening = state.opening
        new = [one for one in reading.activities if state.stated(one.ref) is None]
    if opening is not None:
        opened, listed = opening
        new = [one for one in new if one.at >= opened and one.ref not in listed]
    return [fact_of(one) for one in new]


def _opening(reading: Reading, day: dt.date) -> Activity:
    """Return the fact that opens a book with what an account has, as lots of today with the broker's cost."""
    account = reading.account
    lots = {
        unit: [{"quantity": f"{held:f}", "cost": f"{account.costs.get(unit, Decimal(0)):f}", "opened": day.isoformat()}]
        for unit, held in account.shares.items()
    }
    details = {"lots": lots, "listed": sorted(one.ref for one in reading.activities)}
    quoted = dict.fromkeys(account.shares, account.currency)
    return Activity("opening", "opening", day, account.balances, quoted, details, None, account.at)


def _ended(ledger: Ledger, broker: Broker, wait: Wait) -> Iterator[tuple[str, str]]:
    """Yield open orders that the broker has ended, with how; what they still reserve is free then."""
    with ledger.state() as state:
        open_ones = [one.client_id for one in state.orders((SENT, PARTIAL))]
    for client_id in open_ones:
        found = ask(functools.partial(broker.order, client_id), wait)
        if found is not None and found.status in {"cancelled", "expired", "refused"}:
            yield client_id, found.status
