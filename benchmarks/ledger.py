"""Random operations on one ledger from three processes, of which one is killed every half second.

Each process logs what it is about to do and what came of it; after a kill its successor does the same again under the
same key. At the end the ledger is verified from its rows, and compared with the logs: no gap, nothing lost or double.

    .venv/bin/python -m benchmarks.ledger --entries 10000 --kills 100 [--url postgresql+psycopg://…]

Without ``--url`` the ledger is a SQLite file in a temporary folder. It is no part of ``make bench``.
"""

import argparse
import contextlib
import datetime as dt
import multiprocessing
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import text

from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.verification import verify
from sd_core.errors import InputError

WRITERS = 3
BETWEEN_KILLS = 0.5
SATELLITES = {"hunter": "NVDA", "eddy": "KO"}
# What a process logs of an operation: it begins, it was written or held, it was refused.
BEGINS, DONE, REFUSED = "begins", "done", "refused"
LONGEST = 3600.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        entries: written, of all writers.
        kills: processes killed.
        seconds: from the first operation to the last.
        findings: what is wrong with the ledger afterwards, or with the logs; none for a run that holds.
        repeated: operations that had been committed when their process was killed, and were found so.
        refused: operations that were refused, as random ones are.
    """

    entries: int
    kills: int
    seconds: float
    findings: list[str]
    repeated: int
    refused: int


def open_ledger(folder: Path, url: str | None) -> Ledger:
    """Return the ledger of a run."""
    return Ledger(Store("stress", folder, url))


def operation(ledger: Ledger, writer: int, number: int) -> Callable[[], Receipt]:
    """Return the operation of a writer under a number: always the same one, whatever the ledger holds."""
    chance = random.Random(f"{writer}-{number}")  # noqa: S311
    key = f"w{writer}-{number}"
    bucket, unit = chance.choice(list(SATELLITES.items()))
    amount = Decimal(chance.randrange(1, 500_00)).scaleb(-2)
    quantity = Decimal(chance.randrange(1, 9))
    today = dt.date(2026, 3, 2)

    def fact(kind: str, legs: dict[str, Decimal], **details: str) -> Callable[[], Receipt]:
        return lambda: ledger.record(Activity(key, kind, today, legs, details=details), key=key)

    made: dict[str, Callable[[], Receipt]] = {
        "deposit": fact("deposit", {"USD": amount}),
        "fill": fact("fill", {unit: quantity, "USD": -amount}, fee="0.01"),
        "sale": fact("fill", {unit: -quantity, "USD": amount}, fee="0.01"),
        "dividend": fact("dividend", {"USD": amount / 100}, unit=unit),
        "interest": fact("interest", {"USD": amount / 100}),
        "transfer": lambda: ledger.transfer("core", bucket, amount, key=key),
        "back": lambda: ledger.transfer(bucket, "core", amount, key=key),
        "reverse": lambda: ledger.reverse(chance.randrange(1, 2000), key=key),
        "order": lambda: ledger.place(Order(key, bucket, "buy", unit, 10**9, "USD", int(amount * 100)), key=key),
        "close": lambda: ledger.close(f"w{writer}-{chance.randrange(number + 1)}", key=key),
        "note": lambda: ledger.note(bucket, key, key=key),
    }
    return made[chance.choices(list(made), [8, 6, 6, 2, 1, 3, 3, 1, 2, 2, 1])[0]]


def write(ledger: Ledger, writer: int, log: Path, last: int) -> None:
    """Do one operation after the other, from where the log of this writer ends; never return before the last."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    ended = [line for line in lines if not line.startswith(BEGINS)]
    with log.open("a", encoding="utf-8", buffering=1) as out:
        for number in range(len(ended), last):
            out.write(f"{BEGINS} {number}\n")
            try:
                receipt = operation(ledger, writer, number)()
                out.write(f"{DONE} {number} {receipt.entry} {'new' if receipt.is_new else 'again'}\n")
            except InputError:
                out.write(f"{REFUSED} {number}\n")


def run(folder: Path, url: str | None, *, entries: int, kills: int, seconds: float = LONGEST, seed: int = 1) -> Outcome:
    """Run writers and kill them until there are so many entries and kills, or the time is up; then look at everything.

    Args:
        folder: where a SQLite ledger and the logs lie.
        url: a PostgreSQL database, or None.
        entries, kills: the fewest of each.
        seconds: the most time.
        seed: of whom is killed.
    """
    ledger = open_ledger(folder, url)
    _begin(ledger)
    chance = random.Random(seed)  # noqa: S311
    began = time.monotonic()
    writers = [_start(ledger, folder, writer) for writer in range(WRITERS)]
    killed = 0
    while time.monotonic() - began < seconds and (killed < kills or _count(ledger) < entries):
        time.sleep(BETWEEN_KILLS)
        victim = chance.randrange(WRITERS)
        _kill(writers[victim])
        writers[victim] = _start(ledger, folder, victim)
        killed += 1
    spent = time.monotonic() - began
    for writer in writers:
        _kill(writer)
    # What was under way is done again, so that logs and ledger can be compared.
    for writer in range(WRITERS):
        begun = _last(_log(folder, writer), BEGINS) + 1
        write(ledger, writer, _log(folder, writer), begun)
    with ledger.store.reading() as connection:
        verified = verify(connection)
        written = {row.key: row.number for row in connection.execute(text("select key, number from entry"))}
        held = {row.ref for row in connection.execute(text("select ref from activity"))} - set(written)
    findings = [*verified.findings, *_misfits(folder, written, held)]
    lines = [line for writer in range(WRITERS) for line in _log(folder, writer).read_text("utf-8").splitlines()]
    ledger.store.close()
    repeated = sum(line.endswith(" again") for line in lines)
    refused = sum(line.startswith(REFUSED) for line in lines)
    return Outcome(verified.entries, killed, spent, findings, repeated, refused)


def _begin(ledger: Ledger) -> None:
    ledger.deposit(Decimal(100_000), key="first")
    ledger.set("live", {"budget": "0.3"}, key="budget")
    for name, unit in SATELLITES.items():
        ledger.create(Satellite(name, "custom", [unit], Decimal("0.15")), key=f"create-{name}")
        ledger.start(name, early="a test", key=f"start-{name}")


def _start(ledger: Ledger, folder: Path, writer: int) -> BaseProcess:
    # A fork has everything imported and its statements compiled, so that it writes at once; connections are its own.
    ledger.store.close()
    arguments = (ledger, writer, _log(folder, writer), 10**9)
    process = multiprocessing.get_context("fork").Process(target=write, args=arguments, daemon=True)
    process.start()
    return process


def _kill(process: BaseProcess) -> None:
    assert process.is_alive(), "a writer ended by itself"
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _log(folder: Path, writer: int) -> Path:
    return folder / f"writer-{writer}.log"


def _last(log: Path, word: str) -> int:
    numbers = [int(line.split()[1]) for line in log.read_text("utf-8").splitlines() if line.startswith(word)]
    return max(numbers, default=-1)


def _count(ledger: Ledger) -> int:
    with ledger.state() as state:
        return state.last_entry


def _misfits(folder: Path, written: dict[str, int], held: set[str]) -> list[str]:
    """Compare what writers were answered with what the ledger has."""
    findings = []
    answered = {}
    for writer in range(WRITERS):
        for line in _log(folder, writer).read_text("utf-8").splitlines():
            word, number, *rest = line.split()
            if word == DONE:
                answered[f"w{writer}-{number}"] = rest[0]
    for key, entry in answered.items():
        if entry == "None":
            # It was held; it is still, or was booked since under its reference.
            if key not in held and key not in written and f"live:{key}" not in written:
                findings.append(f"{key}: held, and lost")
        elif written.get(key) != int(entry):
            findings.append(f"{key}: answered entry {entry}, the ledger has {written.get(key)}")
    ours = [key for key in written if key.removeprefix("live:").startswith("w")]
    findings += [f"{key}: written, and never answered" for key in ours if key.removeprefix("live:") not in answered]
    doubles = {key.removeprefix("live:") for key in ours if key.startswith("live:")} & set(ours)
    return findings + [f"{key}: written twice" for key in doubles]


def main() -> None:
    """Run as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--url", help="a PostgreSQL database")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), parsed.url, entries=parsed.entries, kills=parsed.kills)
    rate = outcome.entries / outcome.seconds
    print(f"{outcome.entries:,} entries in {outcome.seconds:.1f} s, {rate:.0f} a second, {outcome.kills} kills;")
    print(f"{outcome.repeated} found committed after a kill, {outcome.refused:,} refused, as random operations are")
    print("\n".join(outcome.findings) or "no breach, no gap, nothing lost, nothing double")


if __name__ == "__main__":
    main()
