"""Damaged input, drawn from a seed: study files, price files, the lake's files, and cases for the engine.

Whatever comes, a command ends with 0 or with a refusal in words, in seconds, and what was published stays whole.
"""

import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import plain_engine
from ruamel.yaml import YAML
from simulation.test_engines_agree import assert_results_agree
from support.generators import random_case
from support.lab import PROJECT, Lab, small_study, write_study
from support.portfolio_laws import assert_portfolio_laws
from support.simulation_laws import assert_laws
from support.steps import refresh
from support.wholeness import assert_whole

from sd_core.errors import InputError
from sd_core.lake import POINTER
from sd_core.simulation.engine import simulate
from stress.found import Found

LONGEST_SECONDS = 60
ON_ONE_HOME = 50
# Past the cases that the suite draws.
FIRST_ENGINE_CASE = 1_000_000
NASTY = [
    *(None, True, -1, 0, 1, 2**63, 10**30, -(10**30), 1e-300, 1e308, float("nan"), float("inf"), 0.1, "", " ", "nan"),
    *(
        "1,5",
        "12.03.2020",
        "2020-02-30",
        "0000-00-00",
        "9999-12-31",
        "'; drop table x",
        "a" * 5000,
        "\x00",
        "é😀",
        "../..",
    ),
    *(
        [],
        {},
        [[]],
        {"": None},
        [1] * 2000,
        {"rule": {}},
        {"weights": {}},
        "buy_and_hold",
        "AAA",
        "!!python/object:os.system x",
    ),
]
BYTES = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b",",
    b"\n",
    b'"',
    b"-",
    b"1e999",
    b"nan",
    b"\xef\xbb\xbf",
    b"2023-13-01",
    b";",
    b"\t",
    b"0",
]


class _TooLong(Exception):  # noqa: N818
    """A case took longer than any may."""


def fuzz(kind: str, lab: Lab, folder: Path, seed: int, numbers: Iterable[int]) -> Found:
    """Try damaged input of one kind.

    Args:
        kind: a key of ``KINDS``.
        lab: of a finished small study; it is copied.
        folder: empty, for what is generated.
        seed, numbers: which cases; a seed and a number give the same one each time.
    """
    found = Found()
    for number in numbers:
        chance = random.Random(f"{kind}-{seed}-{number}")
        try:
            with _in_time():
                found.counts[KINDS[kind](chance, lab, folder, number)] += 1
        except Exception:
            found.faults.append(f"{kind}, seed {seed}, case {number}: {traceback.format_exc()}")
    return found


def numbers_for(minutes: float, first: int) -> Iterator[int]:
    """Yield numbers from the first on until so many minutes are over."""
    until = time.monotonic() + 60 * minutes
    for number in count(first):
        if time.monotonic() > until:
            return
        yield number


@contextmanager
def _in_time() -> Iterator[None]:
    def end(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _study(chance: random.Random, lab: Lab, folder: Path, _: int) -> str:
    """Check a study file of which some values, keys or bytes are others."""
    file = folder / "fuzzed.yaml"
    shipped = sorted((PROJECT / "studies").glob("*.yaml"))
    if chance.random() < 0.3:
        content = bytearray(chance.choice(shipped).read_bytes())
        for _ in range(chance.randint(1, 4)):
            _damage_bytes(chance, content)
        file.write_bytes(content)
    else:
        small = small_study(lab.study_file.parent / "prices")
        tree = small if chance.random() < 0.5 else YAML(typ="safe").load(chance.choice(shipped))
        for _ in range(chance.randint(1, 3)):
            _damage_tree(chance, tree)
        write_study(file, tree)
    outcome = Lab(file, folder / "home").sdlab("check", "--study", str(file))
    return _judged(outcome.code, outcome.err)


def _csv(chance: random.Random, lab: Lab, folder: Path, number: int) -> str:
    """Run a study on price files of which some bytes or lines are others, on what the cases before it have stored.

    Every so many begin with nothing stored, so that a fault is repeated from the last such number on.
    """
    if number % ON_ONE_HOME == 0:
        shutil.rmtree(folder / "csv", ignore_errors=True)
    prices = folder / "prices"
    shutil.rmtree(prices, ignore_errors=True)
    shutil.copytree(lab.study_file.parent / "prices", prices)
    file = chance.choice(sorted(prices.iterdir()))
    content = bytearray(file.read_bytes())
    for _ in range(chance.randint(1, 2)):
        (_damage_bytes if chance.random() < 0.6 else _damage_lines)(chance, content)
    file.write_bytes(content)
    fuzzed = Lab(write_study(folder / "csv" / "small.yaml", small_study(prices)), folder / "csv" / "home")
    try:
        refresh(fuzzed.home, fresh=True)
    except InputError:
        return "refused"
    return "published"


def _engine(_: random.Random, __: Lab, ___: Path, number: int) -> str:
    """Compare both engines on a random case, and hold the rows to the laws."""
    case = random_case(FIRST_ENGINE_CASE + number)
    (compiled,) = simulate(case.panel, [case.rules])
    assert_results_agree(compiled, plain_engine.simulate(case.panel, case.rules))
    assert_laws(case.panel, case.rules, compiled)
    assert_portfolio_laws(case.panel, case.rules, compiled)
    return "agreed"


def _lake(chance: random.Random, lab: Lab, folder: Path, _: int) -> str:
    """Run everything that is outdated where a file of the lake is damaged or gone."""
    root = folder / "lake"
    shutil.rmtree(root, ignore_errors=True)
    damaged = lab.copy_to(root)
    before = damaged.digest()
    files = [*damaged.home.lake.root.rglob(POINTER), *damaged.home.lake.root.rglob("*.parquet")]
    file = chance.choice(sorted(files))
    if chance.random() < 0.15:
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        for _ in range(chance.randint(1, 4)):
            _damage_bytes(chance, content)
        file.write_bytes(content)
    outcome = damaged.sdlab("run", *(["--fresh"] if chance.random() < 0.3 else []))
    if outcome.code != 0 and damaged.digest() != before:
        raise AssertionError("refused, and what was published is another file")
    assert_whole(damaged)
    return _judged(outcome.code, outcome.err)


KINDS: dict[str, Callable[[random.Random, Lab, Path, int], str]] = {
    "study": _study,
    "csv": _csv,
    "engine": _engine,
    "lake": _lake,
}


def _judged(code: int, err: str) -> str:
    if "Traceback" in err or code not in (0, 2):
        raise AssertionError(f"ended with {code}: {err[-3000:]}")
    return "refused" if code else "accepted"


def _damage_bytes(chance: random.Random, content: bytearray) -> None:
    place = chance.randrange(len(content) + 1)
    match chance.randrange(5):
        case 0 if content:
            content[min(place, len(content) - 1)] ^= 1 << chance.randrange(8)
        case 1:
            content[place:place] = chance.choice(BYTES)
        case 2:
            del content[place : place + chance.choice([1, 2, 10, 1000])]
        case 3:
            del content[place:]
        case _:
            content[place:place] = content[chance.randrange(len(content) + 1) :][: chance.choice([1, 20, 400])]


def _damage_lines(chance: random.Random, content: bytearray) -> None:
    lines = bytes(content).split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(one, lines[other])
        case 2:
            del lines[one]
        case _:
            cells = lines[one].split(b",")
            cells[chance.randrange(len(cells))] = chance.choice(
                [b"", b"0", b"-1", b"1e12", b"nan", b"inf", b"x", b"1,5", b"2023-01-01"]
            )
            lines[one] = b",".join(cells)
    content[:] = b"\n".join(lines)


def _damage_tree(chance: random.Random, tree: Any) -> None:
    """Change one place of a document, however deep: another value, another key, none, or one twice as deep."""
    holder = tree
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(holder[key], dict | list) and holder[key] and chance.random() < 0.7:
            holder = holder[key]
            continue
        break
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(["", "AAA", "Weight", f"{key}s", 7, None])] = holder.pop(key)
        case 2 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] *= chance.choice([-1, 0, 1e-9, 10, 1000, 1e12])
        case 3:
            holder[key] = {"": holder[key]} if chance.random() < 0.5 else [holder[key]]
        case _:
            holder[key] = chance.choice(NASTY)
