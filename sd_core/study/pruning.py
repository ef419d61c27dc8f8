"""What is wrong between the fields of a study of which some are wrong by themselves.

How fields must fit together belongs in ``model`` and the parts; the wording of findings in ``findings``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic import BaseModel, ValidationError

from sd_core.study.findings import Location, MisfitError

# Keys whose entries are independent: without one of them nothing else becomes wrong that does not name it.
_SEPARABLE = {"strategies", "mixes", "satellite_universe", "buckets", "satellites"}
# Values that do to look at the rest, where one is needed and no rule between fields depends on it.
_STAND_INS = {"name": "study", "capital": 1.0}
# Keys that lead to a satellite.
_SATELLITE = 4
# What is left out can be what its part cannot do without; parts are nested less deeply than this.
_ROUNDS = 8


def misfits_beside(
    study: type[BaseModel],
    document: Mapping[str, Any],
    found: Sequence[Any],
    word: Callable[[Sequence[Any]], list[str]],
) -> list[str]:
    """Return the findings about what does not fit together in a study of which something was refused already.

    That is left out, and the rest is validated again. A finding that names anything that was left out could follow from
    that alone, so it is dropped, and so is one about a part that lacks something now. Nothing is found where the rest
    is no study.

    Args:
        study: the model of a study.
        document: its keys and values.
        found: entries of pydantic's validation of them.
        word: words such entries.
    """
    rest: Any = deepcopy(dict(document))
    without: dict[Location, set[str]] = {}
    beside: list[str] = []
    for _ in range(_ROUNDS):
        if [entry for entry in found if not _leave_out(rest, entry, without)]:
            break
        try:
            study.model_validate(rest)
        except ValidationError as error:
            found = error.errors(include_url=False)
            names = set().union(*without.values())
            lines = word([entry for entry in found if _is_misfit(entry) and _is_whole(entry["loc"], without)])
            beside += [line for line in lines if not any(name in line for name in names)]
        else:
            break
    return beside


def _is_misfit(entry: Any) -> bool:
    return entry["type"] == "value_error" and isinstance(entry["ctx"]["error"], MisfitError)


def _is_whole(part: Location, without: Mapping[Location, Any]) -> bool:
    """Return whether a part has all that its own rules look at: the study, and a plan of whole satellites, have."""
    lacking = [path for path in without if path[: len(part)] == part]
    is_plan = part[:1] == ("buckets",) and len(part) == 2
    return not part or not lacking or (is_plan and all(len(path) > _SATELLITE for path in lacking))


def _leave_out(rest: Any, entry: Any, without: dict[Location, set[str]]) -> bool:
    """Leave out what was refused, or the part that cannot do without it; return whether the rest can be looked at."""
    path = _existing(rest, entry["loc"])
    if entry["type"] == "missing":
        while path and path[-2:-1] not in [(key,) for key in _SEPARABLE]:
            path = path[:-1]
    if not path:
        return False
    *parents, key = path
    holder = rest
    for parent in parents:
        holder = holder[parent]
    without[path] = {str(key), *_keys_within(holder[key])}
    if path[0] in _STAND_INS:
        holder[key] = _STAND_INS[str(key)]
    else:
        del holder[key]
    return True


def _existing(rest: Any, location: Location) -> Location:
    """Return the way to a location as far as keys of the document lead; entries of a list go with the list."""
    path: list[str | int] = []
    for part in location:
        if not isinstance(rest, dict) or part not in rest:
            break
        path.append(part)
        rest = rest[part]
    return tuple(path)


def _keys_within(value: object) -> Iterator[str]:
    """Yield the keys of a part and of the parts in it, each part once: aliases can make it contain itself."""
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and id(part) not in seen:
            seen.add(id(part))
            yield from map(str, part)
            waiting += part.values()
