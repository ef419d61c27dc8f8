"""``sdlab bucket``: the ledger of an account with a core and satellites, on a terminal.

What an operation does belongs in ``sd_core.buckets.ledger``.
"""

import argparse
import contextlib
import csv
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.measure import Measurement
from rich.table import Table

from pipelines.cli.console import open_console
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from pipelines.steps.operate import open_ledger
from pipelines.steps.trade import (
    approve_orders,
    cancel_openings,
    exits_due,
    has_broker,
    propose_orders,
    reconcile_with_broker,
    send_exits,
)
from sd_core.buckets.ledger import export
from sd_core.buckets.ledger.facts import DETAILS, ENTRY_OF, Activity
from sd_core.buckets.ledger.forecast import Forecast, forecast
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.marked import MarketDay, at_last_mark
from sd_core.buckets.ledger.reconciliation import Difference
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.tables import APPROVED, OPEN, PARTIAL, PROPOSED, SENT, STATUSES
from sd_core.buckets.ledger.verification import verify
from sd_core.buckets.presets import Toggles
from sd_core.buckets.trading.feed import Fed
from sd_core.buckets.trading.sending import Sent
from sd_core.errors import InputError, NotReadyError
from sd_core.schemas.kinds import Regime
from sd_core.study.satellites import LIVE
from sd_core.wording import counted, did_you_mean


def bucket(home: StudyHome, asked: argparse.Namespace) -> ExitCode:
    """Run one command of ``bucket`` on the study's ledger.

    Raises:
        InputError: it is refused, or there is no ledger yet.
        OSError: the output takes nothing.
    """
    ledger = open_ledger(home)
    try:
        if asked.action in WRITES:
            receipt = WRITES[asked.action](replace(ledger, expected=asked.expect), asked)
            with _said_if_unheard(receipt):
                _print_receipt(receipt, asked)
            return ExitCode.DONE
        return READS[asked.action](ledger, asked, home)
    except (InputError, NotReadyError) as error:
        if asked.json:
            _print_json({"refused": str(error).splitlines()})
        raise InputError(str(error)) from None
    except KeyboardInterrupt:
        said = "an entry is booked as a whole or not at all, and `sdlab bucket list` shows what is"
        print(f"\ninterrupted; {said}", file=sys.stderr)
        return ExitCode.INTERRUPTED
    finally:
        ledger.store.close()


@contextlib.contextmanager
def _said_if_unheard(receipt: Receipt) -> Iterator[None]:
    """Say what is booked where the output takes nothing, so that it is not asked for again.

    Raises:
        OSError: it does not.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError:
        if receipt.entry and not receipt.is_dry_run:
            print(f"entry {receipt.entry} is booked, which could not be printed: {receipt.text}", file=sys.stderr)
        raise


# Commands that write: what each asks of the ledger.

Write = Callable[[Ledger, argparse.Namespace], Receipt]


def _how(asked: argparse.Namespace) -> dict[str, Any]:
    return {"key": asked.key, "dry_run": asked.dry_run}


def _named(action: str) -> Write:
    """Return what runs an operation that takes a bucket alone."""
    return lambda ledger, asked: getattr(ledger, action)(asked.bucket, **_how(asked))


def _once(action: str, given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return values by name.

    Raises:
        InputError: a name was given twice.
    """
    names = [name for name, _ in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{action}: {', '.join(twice)}: expected each name once")
    return dict(given)


def _create(ledger: Ledger, asked: argparse.Namespace) -> Receipt:
    settings = _once("create", asked.settings)
    dividends = settings.pop("dividends", None)
    toggles = {name: settings.pop(name) for name in vars(Toggles()) if name in settings}
    satellite = Satellite(
        asked.bucket,
        asked.preset,
        [ticker.strip() for ticker in asked.instruments.split(",") if ticker.strip()],
        asked.target,
        asked.min_pct,
        asked.title,
        settings,
        toggles,
        dividends,
        asked.note,
    )
    return ledger.create(satellite, **_how(asked))


def _withdraw(ledger: Ledger, asked: argparse.Namespace) -> Receipt:
    if asked.paid:
        return ledger.withdrawn(asked.paid, **_how(asked))
    if asked.cancel:
        return ledger.close(asked.cancel, **_how(asked))
    return ledger.withdraw(asked.amount, asked.currency, **_how(asked))


def _mark(ledger: Ledger, asked: argparse.Namespace) -> Receipt:
    try:
        session = dt.date.fromisoformat(asked.session)
        given = {name: Decimal(str(value)) for name, value in _once("mark", asked.prices).items()}
    except (ValueError, ArithmeticError):
        raise InputError("mark: expected a date such as 2026-03-02, and prices such as NVDA=123.45") from None
    with ledger.state() as state:
        currencies = {unit for unit, of in state.units.items() if of.kind == "currency"}
    rates = {name: value for name, value in given.items() if name in currencies}
    prices = {name: value for name, value in given.items() if name not in currencies}
    market = MarketDay(Regime[asked.regime.upper()], asked.cash_return)
    return ledger.mark(session, prices, rates, market=market, **_how(asked))


def _record(ledger: Ledger, asked: argparse.Namespace) -> Receipt:
    """Book what the broker did.

    Raises:
        InputError: the kind or a detail is unknown, or a date or a lot is none.
    """
    if asked.kind not in ENTRY_OF:
        raise InputError(
            f"record: {asked.kind!r}: expected one of {', '.join(ENTRY_OF)}{did_you_mean(asked.kind, ENTRY_OF)}"
        )
    details: dict[str, Any] = _once("record", asked.details)
    if unknown := sorted(set(details) - set(DETAILS)):
        raise InputError(f"record: {', '.join(unknown)}: expected details among {', '.join(DETAILS)}")
    try:
        day = dt.date.fromisoformat(asked.date) if asked.date else ledger.today
    except ValueError:
        raise InputError(f"record: {asked.date}: expected a date such as 2026-03-02") from None
    if asked.lots:
        details["lots"] = _lots(asked.lots)
    legs, quoted = _once("record", asked.legs), _once("record", asked.quoted)
    activity = Activity(asked.reference, asked.kind, day, legs, quoted, details, asked.previous)
    return ledger.record(activity, by_hand=True, **_how(asked))


def _lots(given: Sequence[tuple[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Return the lots of an opening, by instrument.

    Raises:
        InputError: one is no quantity, cost and date.
    """
    lots: dict[str, list[dict[str, str]]] = {}
    for unit, text in given:
        try:
            quantity, cost, opened = text.split("@")
            lot = {"quantity": str(Decimal(quantity)), "cost": str(Decimal(cost)), "opened": opened}
            dt.date.fromisoformat(opened)
        except (ValueError, ArithmeticError):
            raise InputError(f"record: {unit}={text}: expected a lot such as NVDA=10@1250.50@2025-03-02") from None
        lots.setdefault(unit, []).append(lot)
    return lots


def _evaluate(ledger: Ledger, asked: argparse.Namespace) -> Receipt:
    try:
        session = dt.date.fromisoformat(asked.session or _today(ledger))
    except ValueError:
        raise InputError(f"evaluate: {asked.session}: expected a date such as 2026-04-01") from None
    return ledger.evaluate(session, **_how(asked))


def _reconcile(ledger: Ledger, asked: argparse.Namespace) -> Receipt:
    if asked.statement is None:
        fed = _fed(ledger, asked)
        receipt, found = fed.receipt, fed.differences
    else:
        how = _how(asked) | ({"dry_run": True} if asked.explain else {})
        receipt, found = ledger.reconcile(_statement(Path(asked.statement)), **how)
    if asked.explain:
        with ledger.state() as state:
            explained = [_explained(state, one) for one in found]
        if asked.json:
            receipt = replace(receipt, numbers={**receipt.numbers, "units": explained})
        else:
            for one in explained:
                _print_fields(one)
                print()
    return receipt


def _and_call_off(ledger: Ledger, receipt: Receipt, asked: argparse.Namespace, bucket: str | None = None) -> Receipt:
    """Call off at the broker what must not be opened any more, and say so in the receipt."""
    if asked.dry_run or receipt.kind == "lift":
        return receipt
    try:
        done = cancel_openings(replace(ledger, expected=None), bucket)
    except InputError as error:
        # What was asked for is booked all the same.
        done = [Sent("", "unknown", f"purchases at the broker are not called off: {error}")]
    if not asked.json:
        _print_sent(done)
    return replace(receipt, numbers={**receipt.numbers, "called_off": [vars(one) for one in done]})


def _print_sent(done: Sequence[Sent]) -> None:
    for one in done:
        order = f"order {one.client_id}: {one.status}" if one.client_id else ""
        print(": ".join(filter(None, (order, one.says))))


def _fed(ledger: Ledger, asked: argparse.Namespace) -> Fed:
    """Read the account's broker, and say what was booked of it.

    Raises:
        InputError: nothing is to be booked, or no broker is named.
    """
    if asked.dry_run or asked.key or asked.expect is not None:
        given = "--dry-run, --key or --expect"
        raise InputError(f"reconcile: expected a FILE with {given}: what the broker states is booked")
    fed = reconcile_with_broker(ledger)
    if not asked.json:
        for booked in fed.booked:
            print(f"entry {booked.entry}: {booked.text}")
        for line in (*(f"activity {ref} is held" for ref in fed.held), *fed.refused):
            print(line)
    activities = {"booked": [one.entry for one in fed.booked], "held": fed.held, "refused": fed.refused}
    return replace(fed, receipt=replace(fed.receipt, numbers={**fed.receipt.numbers, **activities}))


def _statement(file: Path) -> dict[str, Decimal]:
    """Return what the broker has, by unit, from a CSV file.

    A spreadsheet may have put a byte order mark before the header.

    Raises:
        InputError: there is no such file, it has another header, or a line is no unit with an amount.
    """
    if not file.is_file():
        raise InputError(f"reconcile: {file}: expected a CSV file of unit,amount")
    statement: dict[str, Decimal] = {}
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines = csv.reader(opened)
        try:
            header, *rows = [(lines.line_num, line) for line in lines if line] or [(1, [])]
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{file}: expected a CSV file of unit,amount: {error}") from None
    if header[1] != _STATEMENT:
        raise InputError(f"{file}:{header[0]}: {','.join(header[1])!r}: expected the header unit,amount")
    for number, row in rows:
        try:
            unit, amount = row[0].strip(), Decimal(row[1])
        except (IndexError, ArithmeticError):
            unit, amount = "", Decimal("NaN")
        if not unit or len(row) > len(_STATEMENT) or not amount.is_finite():
            raise InputError(f"{file}:{number}: {','.join(row)!r}: expected unit,amount, such as USD,1250.50")
        if unit in statement:
            raise InputError(f"{file}:{number}: {unit}: expected each unit once")
        statement[unit] = amount
    return statement


_STATEMENT = ["unit", "amount"]


def _explained(state: State, one: Difference) -> dict[str, Any]:
    """Return a unit's figures with where its difference may come from."""
    unit = state.units[one.unit]
    figures = {name: unit.shown(getattr(one, name)) for name in ("actual", "booked", "held", "difference")}
    explained: dict[str, Any] = {"unit": one.unit, **figures, "action": f"{one.action} {one.reason}".strip()}
    if one.difference:
        explained["held_activities"] = state.held()
        explained["last_entries"] = state.last_of(one.unit)
    return explained


WRITES: dict[str, Write] = {
    "create": _create,
    "set": lambda ledger, asked: ledger.set(
        asked.bucket, _once("set", asked.settings), scale=asked.scale, **_how(asked)
    ),
    "note": lambda ledger, asked: ledger.note(asked.bucket, asked.text, **_how(asked)),
    "start": lambda ledger, asked: ledger.start(asked.bucket, asked.early, **_how(asked)),
    **{name: _named(name) for name in ("abandon", "resume", "retire", "unlock", "harvest")},
    "pause": lambda ledger, asked: _and_call_off(ledger, _named("pause")(ledger, asked), asked, asked.bucket),
    "boost": lambda ledger, asked: ledger.boost(asked.bucket, asked.days, **_how(asked)),
    "halt": lambda ledger, asked: _and_call_off(ledger, ledger.halt(lift=asked.lift, **_how(asked)), asked),
    "deposit": lambda ledger, asked: ledger.deposit(asked.amount, asked.currency, **_how(asked)),
    "withdraw": _withdraw,
    "transfer": lambda ledger, asked: ledger.transfer(
        asked.source, asked.target, asked.amount, asked.currency, **_how(asked)
    ),
    "assign": lambda ledger, asked: ledger.assign(asked.instruments, asked.bucket, **_how(asked)),
    "reassign": lambda ledger, asked: ledger.reassign(
        asked.instrument, asked.bucket, for_value=asked.for_value, confirmed=asked.confirm, **_how(asked)
    ),
    "correct": lambda ledger, asked: ledger.correct(
        asked.amount, asked.currency or ledger.base_currency, asked.reason, **_how(asked)
    ),
    "reverse": lambda ledger, asked: ledger.reverse(asked.entry, **_how(asked)),
    "record": _record,
    "mark": _mark,
    "evaluate": _evaluate,
    "apply": lambda ledger, asked: ledger.apply(**_how(asked)),
    "rebase": lambda ledger, asked: ledger.rebase(asked.bucket, asked.reason, **_how(asked)),
    "reconcile": _reconcile,
}


def _print_receipt(receipt: Receipt, asked: argparse.Namespace) -> None:
    if asked.json:
        _print_json(vars(receipt))
        return
    arrow = "→" if _is_unicode() else "->"
    print(f"entry {receipt.entry}: {receipt.text}" if receipt.entry else receipt.text)
    for source, target, unit, quantity in receipt.legs:
        print(f"  {source} {arrow} {target}  {quantity} {unit}")
    if not receipt.is_new:
        print("booked before under this key")
    if receipt.is_dry_run:
        print("a dry run: nothing is booked")


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=not _is_unicode(), default=str))


def _is_unicode() -> bool:
    """Return whether the output takes every letter; in tests it is no file, and does."""
    encoding: str | None = getattr(sys.stdout, "encoding", None)
    return encoding is None or encoding.lower().startswith("utf")


# Commands that read

Read = Callable[[Ledger, argparse.Namespace, StudyHome], ExitCode]


def _list(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.state() as state:
        rows = [_summary(state, name) for name in state.buckets]
        held = state.held()
        halted = state.locks("live", _today(ledger))
        total, entry = state.base.shown(state.total), state.last_entry
        unknown = state.without_rate
    if asked.json:
        _print_json(
            {
                "entry": entry,
                "total": total,
                "buckets": rows,
                "held": held,
                "locks": halted,
                "without_rate": unknown,
            }
        )
        return ExitCode.DONE
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("bucket", "status", "value", "share", "target", "free cash"):
        table.add_column(name, justify="left" if name in {"bucket", "status"} else "right")
    for row in rows:
        target = f"{float(row['target']):.2%}" if row["target"] else ""
        cells = (row["bucket"], row["status"], row["value"], f"{row['share']:.2%}", target, row["free"])
        table.add_row(*cells)
    console = open_console()
    console.print(table)
    console.print(f"together {total}")
    for row in rows:
        if row["at_cost"]:
            console.print(f"{row['bucket']}: {', '.join(row['at_cost'])} at cost, as no price was marked")
    for ref in held:
        console.print(f"activity {ref} is held: it waits for another that comes before it")
    if unknown:
        console.print(f"{', '.join(unknown)} counts as nothing, as no rate was marked")
    for cause in halted:
        console.print(f"nothing is opened: {cause}")
    return ExitCode.DONE


def _today(ledger: Ledger) -> str:
    return ledger.today.isoformat()


def _summary(state: State, name: str) -> dict[str, Any]:
    found, base, total = state.buckets[name], state.base, state.total
    share = state.values[name] / total if total else 0.0
    return {
        "bucket": name,
        "name": found.name,
        "status": found.status,
        "value": base.number(state.values[name]),
        "share": share,
        "target": None if found.kind == "core" else state.setting(name, "target"),
        "free": base.number(state.free(name, base.unit)),
        "at_cost": state.without_price(name),
    }


def _show(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    name = asked.bucket
    with ledger.state() as state:
        if name not in state.buckets:
            known = ", ".join(state.buckets)
            raise InputError(f"show: {name!r}: expected one of {known}{did_you_mean(name, state.buckets)}")
        units = state.units
        settings = ("preset", "target", "min_pct", "harvest_line", "sliders", "toggles", "dividends")
        shown = _summary(state, name) | {
            "since": state.since(name),
            "note": state.note(name),
            "settings": {one: value for one in settings if (value := state.setting(name, one)) is not None},
            "instruments": state.universe(name),
            "cash": {code: units[code].number(quanta) for code, quanta in state.cash(name).items()},
            "positions": {unit: units[unit].number(quanta) for unit, quanta in state.positions(name).items()},
            "lots": [
                {
                    "unit": unit,
                    "opened": lot.opened,
                    "quantity": units[unit].number(lot.quanta),
                    "cost": units[str(units[unit].quote_currency)].number(lot.cost),
                }
                for unit in state.positions(name)
                for lot in state.lots(name, unit)
            ],
            "open_orders": state.open_orders(name),
            "locks": state.locks(name, _today(ledger)),
            "last_mark": _at_last_mark(state, name),
            "on_paper": _on_paper(state, name),
        }
    if asked.json:
        _print_json(shown)
    else:
        _print_fields(shown)
    return ExitCode.DONE


def _orders(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.state() as state:
        found = [_shown_order(state, one) for one in state.orders(STATUSES if asked.all else OPEN)]
    if asked.json:
        _print_json(found)
        return ExitCode.DONE
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("order", "bucket", "status", "what", "filled", "reserved", "why"):
        table.add_column(name, no_wrap=True)
    for one in found:
        why = " ".join(filter(None, (one["reason"], one["session"])))
        table.add_row(one["order"], one["bucket"], one["status"], one["what"], one["filled"], one["reserved"], why)
    console = open_console()
    if not found:
        console.print("no open order")
        return ExitCode.DONE
    # However narrow a page is, an id that is folded cannot be copied.
    console.width = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    console.print(table)
    return ExitCode.DONE


_WIDEST = 1000


def _shown_order(state: State, row: Any) -> dict[str, Any]:
    """Return an order or a request as people read it, with what ordered it."""
    unit, money = state.units[row.unit], state.units[row.reserved_unit]
    prices = [f"{name} {price}" for name, price in (("limit", row.limit_price), ("stop", row.stop_price)) if price]
    kind = [] if row.side == "withdraw" or row.type == "market" else [row.type, *prices]
    return {
        "order": row.client_id,
        "bucket": row.bucket,
        "status": row.status,
        "what": " ".join((row.side, unit.shown(row.quanta), *kind)),
        "filled": unit.number(row.filled),
        "reserved": money.shown(row.left),
        "needs": money.shown(row.reserved),
        "reason": row.reason,
        "session": row.session,
        "decision": state.decision(row.client_id),
    }


def _approve(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.state() as state:
        proposed = [one.client_id for one in state.orders((PROPOSED,))]
    chosen = proposed if asked.all else asked.orders
    if not chosen:
        known = ", ".join(proposed) or "none is proposed"
        raise InputError(f"approve: expected proposed orders, or --all: {known}")
    return _say_sent(approve_orders(ledger, chosen, **_how(asked)), asked, _by_hand(ledger, asked))


def _by_hand(ledger: Ledger, asked: argparse.Namespace) -> str:
    """Return what a person does with orders that no broker was sent."""
    if asked.dry_run:
        return "a dry run: nothing is booked, and the broker not asked"
    how = "place what is approved, and record each fill with --detail order=ORDER"
    return "" if has_broker(ledger) else f"the account names no broker: {how}"


def _propose(ledger: Ledger, asked: argparse.Namespace, home: StudyHome) -> ExitCode:
    proposed = propose_orders(home, ledger, dry_run=asked.dry_run)
    if asked.json:
        _print_json({"proposed": [vars(one) for one in proposed.receipts], "unpriced": proposed.unpriced})
        return ExitCode.DONE
    for one in proposed.receipts:
        print(f"entry {one.entry}: {one.text}")
    if not proposed.receipts:
        print("nothing new is proposed")
    if asked.dry_run:
        print("a dry run: nothing is booked")
    if proposed.unpriced:
        print(f"no signals of {', '.join(proposed.unpriced)}: the study's satellite_universe does not have them")
    return ExitCode.DONE


def _exits(ledger: Ledger, asked: argparse.Namespace, home: StudyHome) -> ExitCode:
    if not asked.dry_run and has_broker(ledger):
        return _say_sent(send_exits(home, ledger), asked)
    due = exits_due(home, ledger)
    if asked.json:
        _print_json([vars(one) for one in due])
        return ExitCode.DONE
    for one in due:
        prices = (f"{name} {price}" for name, price in (("stop", one.stop_price), ("limit", one.limit_price)) if price)
        print(f"{one.bucket}: sell {one.quantity} {one.unit}: {', '.join(prices) or 'at the open'} ({one.reason})")
    if not due:
        print("no satellite holds anything")
    return ExitCode.DONE


def _say_sent(done: Sequence[Sent], asked: argparse.Namespace, note: str = "") -> ExitCode:
    """Say what was approved, sent or called off; it failed where anything was not."""
    if asked.json:
        _print_json([vars(one) for one in done])
    else:
        _print_sent(done)
        if note:
            print(note)
    is_done = all(one.status in {APPROVED, SENT, PARTIAL, "filled", "cancelled"} and not one.says for one in done)
    return ExitCode.DONE if is_done else ExitCode.FAILED


def _at_last_mark(state: State, name: str) -> dict[str, Any]:
    """Return what the rules made of a satellite at the last mark; nothing of the core, or before the first one."""
    found = at_last_mark(state, name)
    if found is None:
        return {}
    return {
        "session": found.session,
        "index": found.memory.twr_index,
        "drawdown": found.day.drawdown,
        "level": found.level,
        "factor": found.factor,
        "reasons": [(one.name or "").lower() for one in found.reasons],
        "losses": found.memory.losses,
        "stage": found.memory.stage,
    }


def _on_paper(state: State, name: str) -> dict[str, Any]:
    """Return how a satellite in research has done on paper; nothing of any other."""
    if state.buckets[name].status != "research":
        return {}
    paper = State(state.connection, f"paper:{name}")
    held = {unit: paper.units[unit].number(quanta) for unit, quanta in paper.positions(name).items()}
    value = {"sessions": paper.sessions, "value": paper.base.number(paper.values[name]), "positions": held}
    return value | _at_last_mark(paper, name)


def _print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, a line each, lists a line per item; what is empty is left out."""
    shown = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    width = max(map(len, shown))
    for name, value in shown.items():
        lines = value if isinstance(value, list) else [value]
        for place, line in enumerate(lines):
            text = ", ".join(f"{one}: {of}" for one, of in line.items()) if isinstance(line, dict) else str(line)
            print(f"{'' if place else name:<{width}}  {text}")


def _events(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.state() as state:
        if asked.bucket is not None:
            known = [*state.buckets, LIVE]
            if asked.bucket not in known:
                hint = did_you_mean(asked.bucket, known)
                raise InputError(f"events: {asked.bucket!r}: expected one of {', '.join(known)}{hint}")
    with ledger.store.reading() as connection:
        found = export.events(connection, asked.after, asked.bucket)
    if asked.json:
        _print_json(found)
        return ExitCode.DONE
    for one in found:
        of = "" if one["book"] == LIVE else f", {one['book']}"
        print(f"entry {one['entry']}, {one['effective']}, {one['actor']}{of}: {one['text']}")
    if not found:
        print("nothing was booked")
    return ExitCode.DONE


def _verify(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.store.reading() as connection:
        verified = verify(connection)
    if asked.json:
        _print_json(vars(verified))
    else:
        print("\n".join(verified.findings) or f"{counted(verified.entries, 'entry', 'entries')} hold")
        print(f"digest {verified.digest}")
    return ExitCode.FAILED if verified.findings else ExitCode.DONE


def _why(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.store.reading() as connection:
        explained = export.explain(connection, asked.entry)
    if asked.json:
        _print_json(explained)
    else:
        _print_fields(explained)
    return ExitCode.DONE


def _forecast(ledger: Ledger, asked: argparse.Namespace, home: StudyHome) -> ExitCode:
    deposits = home.study.deposits
    amount = asked.deposit or (Decimal(str(deposits.amount)) if deposits and deposits.amount else None)
    if amount is None or amount <= 0:
        raise InputError("forecast: expected --deposit AMOUNT above 0, as the study has no deposits")
    period = deposits.every if deposits and not asked.deposit else "month"
    with ledger.state() as state:
        found = forecast(state, amount)
    if asked.json:
        _print_json({"deposit": str(amount), "every": period, "satellites": [vars(one) for one in found]})
        return ExitCode.DONE
    print(f"{amount:,} a {period}, at prices that stay as they are:")
    for one in found:
        print(f"  {one.bucket}: {one.share:.2%} now; {_reached(one, period)}")
    if not found:
        print("  no satellite takes deposits")
    return ExitCode.DONE


def _reached(one: Forecast, period: str) -> str:
    def when(deposits: int | None) -> str:
        if deposits is None:
            return f"never, it tends to {one.final_share:.2%}"
        return f"in {period} {deposits}" if deposits else "now"

    floor, target = when(one.deposits_to_floor), when(one.deposits_to_target)
    return f"trades at {one.floor:.2%}: {floor}; target {one.target:.2%}: {target}"


def _export(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    written = export.as_csv if asked.format == "csv" else export.as_beancount
    with ledger.store.reading() as connection:
        sys.stdout.write(written(connection, asked.book))
    return ExitCode.DONE


def _backup(ledger: Ledger, asked: argparse.Namespace, _: StudyHome) -> ExitCode:
    with ledger.state() as state:
        number = state.last_entry
    moment = ledger.clock().strftime("%Y%m%dT%H%M%S")
    folder = ledger.store.folder / "backups"
    file = Path(asked.file) if asked.file else folder / f"{ledger.store.name}-{moment}"
    written = ledger.store.backup(file)
    if asked.json:
        _print_json({"file": str(written), "entries": number})
    else:
        print(f"{written}: {counted(number, 'entry', 'entries')}")
    return ExitCode.DONE


READS: dict[str, Read] = {
    "list": _list,
    "show": _show,
    "events": _events,
    "orders": _orders,
    "approve": _approve,
    "propose": _propose,
    "exits": _exits,
    "verify": _verify,
    "why": _why,
    "forecast": _forecast,
    "export": _export,
    "backup": _backup,
}
