"""The wording of what is wrong with a study: pydantic's findings as ``field: value: expected …``, one line each.

What is right and wrong belongs in ``study``.
"""

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sd_core.study.moved import where_it_went
from sd_core.wording import date_hint, did_you_mean, number_hint

Location = tuple[str | int, ...]

_EXPECTED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "text",
    "string_too_short": "some text",
    "list_type": "a list, such as [0.0, 0.1]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "too_short": "at least one entry",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
}


class MisfitError(ValueError):
    """What is wrong between the fields of a part; every line is ``field: value: expected …`` already."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__("\n".join(lines))


def findings(
    entries: Iterable[Any], keys_at: Callable[[Location], Iterable[str]], as_written: Callable[[Location], Location]
) -> list[str]:
    """Word every finding, each once.

    Args:
        entries: of pydantic's validation, without links.
        keys_at: returns which keys are allowed in the part at a location.
        as_written: returns where the value at a location is in the file.
    """
    # What a sweep repeats in many strategies was written once.
    return list(dict.fromkeys(line for entry in entries for line in _finding(entry, keys_at, as_written)))


def _finding(
    entry: Any, keys_at: Callable[[Location], Iterable[str]], as_written: Callable[[Location], Location]
) -> Iterator[str]:
    location, kind, value = as_written(entry["loc"]), entry["type"], show(entry["input"])
    context = entry.get("ctx", {})
    if kind == "value_error" and location[-1:] == ("[key]",):  # pydantic's mark: the key itself was refused
        location = (*location[:-2], str(location[-2]))  # which may read as a number
    match kind:
        case "extra_forbidden" if (place := where_it_went(location)) is not None:
            yield f"{_place(location)}: moved: expected {place}"
        case "invalid_key" if len(location) > 1 and isinstance(location[-1], int):
            # In braces YAML takes what follows a comma for another key.
            yield f"{_place(location[:-1])}: {location[-1]}: expected a key; a decimal has a point: write 0.5, not 0,5"
        case "extra_forbidden" | "invalid_key":
            known = list(keys_at(location[:-1]))
            meant = did_you_mean(str(location[-1]), known)
            yield f"{_place(location)}: unknown key: expected one of {', '.join(known)}{meant}"
        case "missing":
            yield f"{_place(location)}: missing: expected a value"
        case "value_error" if isinstance(context["error"], MisfitError):
            within = f"{_place(location)}." if location else ""
            yield from (within + line for line in str(context["error"]).splitlines())
        case "value_error":
            yield f"{_place(location)}: {value}: {context['error']}{_hint(entry['input'])}"
        case "literal_error":
            meant = did_you_mean(str(entry["input"]), re.findall(r"'([^']*)'", context["expected"]))
            yield f"{_place(location)}: {value}: expected {context['expected']}{meant}"
        case _:
            expected = _EXPECTED.get(kind, "another kind of value").format(**context)
            yield f"{_place(location)}: {value}: expected {expected}{_hint(entry['input'])}"


def _hint(value: object) -> str:
    """Return how the date or the number that a text seems to be is written."""
    return date_hint(value) or number_hint(value) if isinstance(value, str) else ""


def show(value: object) -> str:
    """Return a value as its author would know it again, in one short line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 10**60:  # which Python may refuse to write out
            return "a number of more than 60 digits"
    return _SHORT.repr(value)


# Bounded in depth and breadth, since aliases make a small file into a huge value.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlist = _SHORT.maxdict = 4
_SHORT.maxlevel = 2


# Parts whose keys are the user's own, and may read as numbers.
_KEYED = (
    ["universe"],
    ["strategies"],
    ["satellite_universe"],
    ["buckets"],
    ["satellites"],
    ["signals"],
    ["mixes"],
    ["windows"],
)


def _place(location: Location) -> str:
    match location:
        case (*part, int(position)) if part[-1:] not in _KEYED:
            return f"{_place(tuple(part))}: entry {position + 1}"
        case (*part, key) if len(part) > 2 and isinstance(part[-1], int):
            return f"{_place(tuple(part))}: {readable(key)}"
    return ".".join(readable(part) for part in location) or "the study"


def readable(part: object) -> str:
    """Keep a key on its line: keys are free text until they are found to be good."""
    text = str(part)
    return text if text.isprintable() and len(text) <= 60 else show(text)
