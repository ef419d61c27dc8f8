"""What ``sdlab bucket`` takes: its commands and their options.

Nothing of a ledger is imported here, so that other commands start as soon as before; what a command does belongs in
``bucket``.
"""

import argparse
import functools
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

# Commands that book nothing, and those of them that do nothing but print.
READING = {"orders", "list", "show", "events", "verify", "why", "forecast", "export", "backup"}
PRINTING = READING - {"orders", "backup"}
# Commands that book what the rules say: another time the same, so that they need no key.
BY_RULES = {"propose", "exits"}


def add_bucket_commands(
    commands: "argparse._SubParsersAction[Any]",
    study: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
) -> None:
    """Add ``bucket`` with its commands to those of the program.

    Args:
        commands: of the program.
        study: the options that name a study.
        run: what runs a command of ``bucket``.
    """
    bucket: argparse.ArgumentParser = commands.add_parser(
        "bucket", help="the ledger of an account with a core and satellites"
    )
    bucket.set_defaults(command=functools.partial(_print_help, bucket), reads=True)
    actions = bucket.add_subparsers(metavar="ACTION")
    how = argparse.ArgumentParser(add_help=False)
    how.add_argument("--json", action="store_true", help="print JSON instead of text")
    trying, keyed, seen = (argparse.ArgumentParser(add_help=False) for _ in range(3))
    trying.add_argument("--dry-run", action="store_true", help="say what would be booked, and book nothing")
    keyed.add_argument("--key", help="the same key and request are booked once, however often they are sent")
    seen.add_argument("--expect", type=_entry, metavar="ENTRY", help="book nothing unless this is the last entry")

    def add(name: str, says: str) -> argparse.ArgumentParser:
        # Each order that is approved is an entry of its own.
        asking = [trying, keyed] if name == "approve" else [trying, keyed, seen]
        writing = [] if name in READING else [trying] if name in BY_RULES else asking
        action = actions.add_parser(name, parents=[study, how, *writing], help=says, description=says)
        action.set_defaults(command=run, action=name, reads=name in PRINTING)
        return action

    _add_views(add)
    _add_orders(add)
    _add_satellites(add)
    _add_money(add)


def _print_help(bucket: argparse.ArgumentParser, _: argparse.Namespace) -> int:
    bucket.print_help()
    return 0


def _add_views(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    add("list", "every bucket with its status, value and share")
    show = add("show", "one bucket: settings, cash, positions, lots, orders, locks")
    show.add_argument("bucket")
    events = add("events", "what was booked, an event for each entry")
    events.add_argument("--after", type=_entry, default=0, metavar="ENTRY", help="later ones alone")
    events.add_argument("--bucket", help="those of a bucket alone; live: of the account itself")
    add("verify", "recompute every digest and every balance")
    why = add("why", "everything that one entry says")
    why.add_argument("entry", type=_entry)
    forecast = add("forecast", "when satellites reach their shares by deposits alone")
    forecast.add_argument("--deposit", type=_amount, help="money per period (default: the study's deposits)")
    export = add("export", "every leg of the ledger, for other programs")
    export.add_argument("--format", choices=["csv", "beancount"], default="csv", help="default: %(default)s")
    export.add_argument("--book", default="live", help="live, or paper:NAME (default: %(default)s)")
    backup = add("backup", "write the whole ledger into a new file")
    backup.add_argument("file", nargs="?", help="default: a file in ledgers/backups with the date in its name")


def _add_orders(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    add("propose", "propose what satellites buy at the open after the last marked close")
    says = (
        "send the exits that are due to the broker, and let stops rest for other positions; without a broker list them"
    )
    add("exits", says)
    orders = add("orders", "what is proposed, approved and at the broker, and what each order reserves")
    orders.add_argument("--all", action="store_true", help="those that are done, too")
    approve = add("approve", "approve proposed orders, and send them to the broker of the account, if it has one")
    approve.add_argument("orders", nargs="*", metavar="ORDER")
    approve.add_argument("--all", action="store_true", help="every order that is proposed")


def _add_satellites(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    create = add("create", "add a satellite in research")
    create.add_argument("bucket", metavar="NAME")
    create.add_argument("--preset", required=True, help="momentum_hunter, steady_eddy, dip_buyer, …, custom, dual")
    create.add_argument("--instruments", required=True, metavar="TICKERS", help="what it trades, with commas between")
    create.add_argument("--target", type=_amount, help="share of the account that it is meant to have, such as 0.05")
    create.add_argument("--min-pct", type=_amount, help="share below which it does not trade")
    create.add_argument("--title", help="its name for people")
    create.add_argument("--note", help="why it is there")
    create.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=_setting,
        help="a slider, a toggle or dividends other than the preset's; may be repeated",
    )
    change = add("set", "change settings of a satellite, or of the account: live")
    change.add_argument("bucket", metavar="BUCKET")
    change.add_argument("settings", nargs="+", metavar="NAME=VALUE", type=_setting)
    change.add_argument("--scale", action="store_true", help="shrink the targets to a lower budget, in proportion")
    note = add("note", "replace a bucket's note")
    note.add_argument("bucket")
    note.add_argument("text")
    start = add("start", "let a satellite that was in research accumulate money")
    start.add_argument("bucket")
    start.add_argument("--early", metavar="REASON", help="why it starts before 63 sessions on paper")
    for name, says in (
        ("abandon", "retire a satellite that is in research"),
        ("pause", "stop what a satellite opens; exits run on"),
        ("resume", "return a paused satellite to what it was"),
        ("retire", "end a paused satellite that holds nothing"),
        ("unlock", "lift the lock that losses in a row have set"),
        ("harvest", "move what a satellite has above its line to the core"),
    ):
        add(name, says).add_argument("bucket")
    boost = add("boost", "raise what an active satellite opens by half")
    boost.add_argument("bucket")
    boost.add_argument("--days", type=int, choices=[7, 30], default=7, help="default: %(default)s")
    halt = add("halt", "stop all openings of the account")
    halt.add_argument("--lift", action="store_true", help="allow them again")


def _add_money(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    deposit = add("deposit", "book a deposit, split between the core and the satellites")
    deposit.add_argument("amount", type=_amount)
    deposit.add_argument("currency", nargs="?", help="default: the study's")
    withdraw = add("withdraw", "ask for a withdrawal, which reserves core cash; book that it was paid; or cancel it")
    what = withdraw.add_mutually_exclusive_group(required=True)
    what.add_argument("amount", type=_amount, nargs="?")
    what.add_argument("--paid", metavar="REQUEST", help="book that the broker has paid a request")
    what.add_argument("--cancel", metavar="REQUEST", help="end a request, which frees what it reserves")
    withdraw.add_argument("--currency", help="default: the study's")
    transfer = add("transfer", "move cash from one bucket to another")
    transfer.add_argument("source")
    transfer.add_argument("target")
    transfer.add_argument("amount", type=_amount)
    transfer.add_argument("currency", nargs="?", help="default: the study's")
    assign = add("assign", "give instruments that no bucket has to one")
    assign.add_argument("bucket")
    assign.add_argument("instruments", nargs="+", metavar="TICKER")
    reassign = add("reassign", "move an instrument with all its shares to another bucket")
    reassign.add_argument("instrument", metavar="TICKER")
    reassign.add_argument("bucket")
    reassign.add_argument("--for-value", action="store_true", help="the bucket pays what the shares are worth")
    reassign.add_argument("--confirm", metavar="BUCKET", help="the bucket that gives it, to let the core take it")
    correct = add("correct", "add cash to the core that the broker has and no activity states, or take it (negative)")
    correct.add_argument("amount", type=_amount)
    correct.add_argument("reason")
    correct.add_argument("--currency", help="default: the study's")
    reconcile = add("reconcile", "compare what the broker has with what is booked")
    reconcile.add_argument(
        "statement",
        metavar="FILE",
        nargs="?",
        help="CSV of what the broker has: unit,amount (default: read the account's broker and book what it states)",
    )
    reconcile.add_argument(
        "--explain", action="store_true", help="show every unit and where to look; with a FILE, book nothing"
    )
    _add_record(add)
    reverse = add("reverse", "take back an entry that was asked for")
    reverse.add_argument("entry", type=_entry)
    evaluate = add("evaluate", "judge the satellites on the first session of a quarter, and propose targets and moves")
    evaluate.add_argument("session", metavar="DATE", nargs="?", help="default: today")
    add("apply", "set the targets that the last evaluation proposes, and move its cash")
    rebase = add("rebase", "let the drawdown of a satellite begin again from its present index")
    rebase.add_argument("bucket")
    rebase.add_argument("reason")
    mark = add("mark", "value every bucket at closes that are given")
    mark.add_argument("session", metavar="DATE")
    mark.add_argument("prices", nargs="*", metavar="TICKER=PRICE", type=_setting, help="also rates: EUR=1.08")
    mark.add_argument(
        "--regime",
        default="unknown",
        choices=["unknown", "bull", "sideways", "bear", "high_volatility"],
        help="of the market at the close (default: %(default)s)",
    )
    mark.add_argument(
        "--cash-return",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="what cash earned since the session before, for the ratios of an evaluation (default: %(default)s)",
    )


def _add_record(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    record = add("record", "book what the broker did, under the broker's reference")
    kinds = "opening, deposit, withdrawal, fill, dividend, fee, interest, fx, adjustment, bust, split, rename, …"
    record.add_argument("kind", metavar="KIND", help=kinds)
    record.add_argument("reference", metavar="REFERENCE", help="the broker's, by which it is booked once")
    record.add_argument(
        "legs", nargs="+", metavar="UNIT=AMOUNT", type=_leg, help="what it adds; negative: what it takes"
    )
    record.add_argument("--date", metavar="DATE", help="from which it counts (default: today)")
    record.add_argument(
        "--detail",
        dest="details",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=_text,
        help="order, fee, unit, ex_date, ratio, of, cost_share, bucket or reason; may be repeated",
    )
    record.add_argument(
        "--lot",
        dest="lots",
        action="append",
        default=[],
        metavar="UNIT=QUANTITY@COST@DATE",
        type=_text,
        help="of an opening: a purchase with what it cost altogether; may be repeated",
    )
    record.add_argument(
        "--quoted",
        action="append",
        default=[],
        metavar="TICKER=CURRENCY",
        type=_text,
        help="what a new instrument is quoted in (default: the study's currency)",
    )
    record.add_argument("--previous", metavar="REFERENCE", help="of a bust: what it takes back")


_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


# Ledgers hold fewer digits before the point than this has.
_TOO_MUCH = 10**15


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= _TOO_MUCH:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, such as 1250.50")
    return amount


def _text(text: str) -> tuple[str, str]:
    """Return a name and its value as text."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE")
    return name, value


def _leg(text: str) -> tuple[str, Decimal]:
    """Return a unit with an amount."""
    unit, amount = _text(text)
    return unit, _amount(amount)


def _entry(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected the number of an entry")
    return int(text)


def _setting(text: str) -> tuple[str, str | bool | float]:
    """Return a name and its value: a switch, a number, or text."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE")
    if value in _WORDS:
        return name, _WORDS[value]
    return name, float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else value
