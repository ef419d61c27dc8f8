"""Sweeps: a strategy written with lists for some of its values expands to one strategy per combination of them.

They are spread out before a study is validated, so that everything else knows plain strategies only. Which keys a
strategy has, and which values they take, belongs in ``study``.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import inf, isfinite, prod
from typing import Any

from sd_core.study.fields import LONGEST_NAME, NAME
from sd_core.study.findings import Location, MisfitError, show
from sd_core.study.scenario import MOST_SCENARIOS

# More than is ever read; a slip such as five lists of fifty values would be hundreds of millions.
MAX_COMBINATIONS = 10_000

# Values that are in a name by themselves; any other follows its key.
_WORD = re.compile(r"(?!none$|true$|false$)[a-z][a-z0-9_]*")
# What a ticker may have and a name may not.
_NO_NAME = re.compile(r"[^a-z0-9]")
# In the paths of keys: any key.
ANY = "*"
# Letters that are left of every word where names would be too long.
_LETTERS = 3

Path = tuple[str, ...]
# What a value is called in a name: a word, or a key and a value.
Label = tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a strategy of a sweep comes from.

    Attributes:
        sweep: name of the strategy that was written.
        entries: by path within it, which entry of the list is taken, from 0.
    """

    sweep: str
    entries: Mapping[Path, int]


@dataclass(frozen=True)
class Spread:
    """A study's document with plain strategies only.

    Attributes:
        document: the keys and values of the study.
        origins: by name, where the strategies of sweeps come from.
    """

    document: Mapping[str, Any]
    origins: Mapping[str, Origin]

    def as_written(self, location: Location) -> Location:
        """Return where the value at a place in the spread document was written.

        What several values together make of a strategy was written nowhere; such a place is returned as it is.
        """
        match location:
            case ("strategies", str(name), *path) if name in self.origins:
                origin = self.origins[name]
                for key, entry in origin.entries.items():
                    if key == tuple(path[: len(key)]):
                        return ("strategies", origin.sweep, *key, entry, *path[len(key) :])
                    if key[: len(path)] == tuple(path):
                        return location
                return ("strategies", origin.sweep, *path)
        return location


def spread(document: Mapping[str, Any], keys: Collection[Path]) -> Spread:
    """Replace every strategy that has lists by one strategy per combination of their entries.

    The last list varies fastest. Each name is that of the sweep and what is chosen: ``sd8__sd_n_4``.

    Args:
        document: a study as it was written.
        keys: the keys that take a single value, as paths within a strategy; ``*`` matches any key. A list at any
            other key is left alone.

    Raises:
        MisfitError: a list is empty, repeats an entry or multiplies beyond measure; a name is too long or taken.
    """
    strategies = document.get("strategies")
    if not isinstance(strategies, Mapping):
        return Spread(document, {})
    _refuse_beyond_measure(strategies, document.get("reserves"), keys)
    plain: dict[Any, Any] = {}
    origins: dict[str, Origin] = {}
    misfits: list[str] = []
    for name, written in strategies.items():
        # A name that is none is refused by validation, with all below it.
        lists = dict(_lists(written, keys)) if isinstance(name, str) and NAME.fullmatch(name) else {}
        if not lists:
            misfits += _taken(name, name, plain)
            plain[name] = written
            continue
        try:
            labels = _labels(name, lists)
        except MisfitError as error:
            misfits += str(error).splitlines()
            continue
        for entries in product(*(range(len(values)) for values in lists.values())):
            chosen = dict(zip(lists, entries, strict=True))
            full_name = "__".join([name, *(labels[path][entry] for path, entry in chosen.items())])
            misfits += _taken(full_name, name, plain)
            plain[full_name] = _choose(written, chosen)
            origins[full_name] = Origin(name, chosen)
    if misfits:
        raise MisfitError(misfits)
    return Spread({**document, "strategies": plain}, origins)


def _refuse_beyond_measure(strategies: Mapping[Any, Any], reserves: object, keys: Collection[Path]) -> None:
    """Raise a MisfitError where there would be more scenarios than a study may have, before any of them is built."""
    counts = [prod(len(values) for _, values in _lists(written, keys)) for written in strategies.values()]
    levels = max(1, len(reserves)) if isinstance(reserves, list) else 1
    # A sweep that is too large by itself is named as such.
    if max(counts, default=0) <= MAX_COMBINATIONS and (scenarios := sum(counts) * levels) > MOST_SCENARIOS:
        counted = f"{sum(counts):,} at {levels:,} reserves are {scenarios:,} scenarios"
        raise MisfitError([f"strategies: {counted}: expected at most {MOST_SCENARIOS:,}"])


def _lists(written: object, keys: Collection[Path], path: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    """Find the lists in a strategy, in the order in which they are written."""
    if not isinstance(written, Mapping):
        return
    for key, value in written.items():
        place = (*path, key)
        if not isinstance(key, str):  # which validation refuses, with all below it
            continue
        if isinstance(value, list) and any(len(known) == len(place) and _begins(known, place) for known in keys):
            yield place, value
        elif any(_begins(known, place) for known in keys):
            yield from _lists(value, keys, place)


def _begins(known: Path, place: Path) -> bool:
    """Return whether a place is a known path or leads there."""
    return len(place) <= len(known) and all(one in (other, ANY) for one, other in zip(known, place, strict=False))


def _choose(written: Mapping[str, Any], chosen: Mapping[Path, int], path: Path = ()) -> dict[str, Any]:
    """Return a strategy, or a part of it, with an entry in the place of each list."""
    taken: dict[str, Any] = {}
    for key, value in written.items():
        place = (*path, key)
        if place in chosen:
            taken[key] = value[chosen[place]]
        elif any(known[: len(place)] == place for known in chosen):
            taken[key] = _choose(value, chosen, place)
        else:
            taken[key] = value
    return taken


def _labels(sweep: str, lists: Mapping[Path, list[Any]]) -> dict[Path, list[str]]:
    """Return the part of a name for every entry of every list; shortened where names would be too long."""
    if empty := [path for path, values in lists.items() if not values]:
        raise MisfitError(f"{_place(sweep, path)}: []: expected at least one value" for path in empty)
    if (combinations := prod(map(len, lists.values()))) > MAX_COMBINATIONS:
        raise MisfitError(
            [f"strategies.{sweep}: {combinations:,} combinations: expected at most {MAX_COMBINATIONS:,} from one sweep"]
        )
    parts = {path: [_label(path, value, entry) for entry, value in enumerate(values)] for path, values in lists.items()}
    if misfits := list(_repeated(sweep, lists, parts)):
        raise MisfitError(misfits)
    spelled_out = _joined(parts)
    if len(_longest(sweep, spelled_out)) <= LONGEST_NAME:
        return spelled_out
    short = _joined({path: [_shortened(label) for label in labels] for path, labels in parts.items()})
    longest = _longest(sweep, short)
    if len(longest) <= LONGEST_NAME:
        return short
    raise MisfitError(
        [
            (
                f"strategies.{sweep}: the sweep's longest name would be {show(longest)}, {len(longest)} characters: "
                f"expected at most {LONGEST_NAME}, so give the strategy a shorter name or fewer lists"
            )
        ]
    )


def _joined(parts: Mapping[Path, list[Label]]) -> dict[Path, list[str]]:
    return {path: ["_".join(label) for label in labels] for path, labels in parts.items()}


def _label(path: Path, value: object, entry: int) -> Label:
    """Return what a value is called in a name, in parts: a word by itself, anything else behind its key.

    What no key takes is numbered: validation refuses it afterwards, at its place.
    """
    if path[0] == "rule":  # which most sweeps are about
        path = path[1:]
    elif path[:-1] == ("allocation", "weights"):
        path = (_plain_name(path[-1]),)
    elif path == ("allocation", "mix"):
        path = path[1:]
    match value:
        case Mapping() if _is_weights(value):
            return (_weights_label(value),)
        case str() if len(path) == 1 and _WORD.fullmatch(value):
            return (value,)
        case str() if _WORD.fullmatch(value):
            text = value
        case None:
            text = "none"
        case bool():
            text = str(value).lower()
        case int() | float() if 0 <= value < 1e15 and isfinite(value):
            text = _digits(value)
        case _:
            text = f"entry_{entry + 1}"
    return ("_".join(path), text)


def _is_weights(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(weight, int | float) and not isinstance(weight, bool) for weight in value.values()) and (
        0 < sum(value.values()) < inf
    )


def _weights_label(weights: Mapping[Any, float]) -> str:
    """Name weights by their tickers and percents, of two decimals at most: ``voo_60_bil_40``."""
    total = sum(weights.values())
    return "_".join(
        f"{_plain_name(ticker)}_{_digits(round(weight / total * 100, 2))}" for ticker, weight in weights.items()
    )


def _plain_name(ticker: object) -> str:
    return _NO_NAME.sub("", str(ticker).lower())


def _digits(value: float) -> str:
    return f"{Decimal(str(abs(value))).normalize():f}".replace(".", "_")


def _repeated(sweep: str, lists: Mapping[Path, list[Any]], labels: Mapping[Path, list[Label]]) -> Iterator[str]:
    for path, values in lists.items():
        first = dict(zip(reversed(labels[path]), reversed(values), strict=True))
        for label, times in Counter(labels[path]).items():
            if times > 1:
                yield f"{_place(sweep, path)}: {show(first[label])}: expected every value once"


def _shortened(label: Label) -> Label:
    """Leave the first letters of every word, and numbers as they are: ``profit_share_0_25`` is ``prosha_0_25``."""
    return tuple(part if part[0].isdigit() else "".join(word[:_LETTERS] for word in part.split("_")) for part in label)


def _longest(sweep: str, labels: Mapping[Path, list[str]]) -> str:
    return "__".join([sweep, *(max(written, key=len) for written in labels.values())])


def _taken(name: object, written: object, plain: Mapping[Any, Any]) -> Iterator[str]:
    if name in plain:
        yield f"strategies.{written}: {name}: expected a name of its own, but another strategy or sweep has it"


def _place(sweep: str, path: Path) -> str:
    return ".".join(["strategies", sweep, *path])
