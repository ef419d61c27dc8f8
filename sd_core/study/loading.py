"""Reading a study from its file: parsed, spread out, validated, or refused with every finding.

What is right and wrong belongs in ``model`` and its parts; the wording of a refusal in ``findings``.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError

from sd_core.calendars import calendar_sessions
from sd_core.errors import InputError
from sd_core.study.document import read_mapping
from sd_core.study.factors import Factors
from sd_core.study.fields import WITHOUT_A_LIBRARY
from sd_core.study.findings import Location, MisfitError, findings, show
from sd_core.study.mixes import Defence, Mix, Scores, Select, View
from sd_core.study.model import Study
from sd_core.study.parts import (
    Allocation,
    Asset,
    Band,
    Bands,
    Bootstrap,
    Cash,
    CostAware,
    Costs,
    Deposits,
    Margin,
    Rebalance,
    SmallestDifference,
    Source,
    Taxes,
    VolatilityLevel,
    Withdrawals,
)
from sd_core.study.pruning import misfits_beside
from sd_core.study.satellites import Core, Plan, Satellite, SatelliteAsset, Sliders, Toggles
from sd_core.study.signals import Signal
from sd_core.study.strategy import Rule, Strategy
from sd_core.study.stress import Stress
from sd_core.study.sweeps import ANY, spread

# Findings of a refusal that are shown; a sweep can give one per combination.
MOST_FINDINGS = 50


def load_study(path: Path) -> Study:
    """Read and validate a study file.

    Raises:
        InputError: the file cannot be read, is not YAML, or breaks a rule; the message names the file and, one line
            per finding, the field, the value and what was expected. Rules that concern several fields are looked at
            as far as these are good by themselves.
    """
    try:
        written = spread(read_mapping(path), _STRATEGY_KEYS)
    except MisfitError as error:
        raise _refusal(path, str(error).splitlines()) from None
    try:
        study = Study.model_validate(written.document)
    except ValidationError as error:
        found = error.errors(include_url=False)
        word = partial(findings, keys_at=keys_at, as_written=written.as_written)
        lines = [*word(found), *misfits_beside(Study, written.document, found, word)]
        raise _refusal(path, list(dict.fromkeys(lines))) from None
    # Pydantic keeps what is no key in a private attribute.
    study._sweeps = {name: origin.sweep for name, origin in written.origins.items()}  # noqa: SLF001
    _refuse_unreachable_calendar(path, study)
    # Where the study lies is known only here; from now on its paths are absolute.
    changes: dict[str, object] = {}
    if study.source.folder is not None:
        folder = _existing(path, "source.folder", study.source.folder, "folder", Path.is_dir)
        changes["source"] = study.source.model_copy(update={"folder": folder})
    if study.price_index is not None:
        changes["price_index"] = _existing(path, "price_index", study.price_index, "file", Path.is_file)
    if study.factors is not None:
        file = _existing(path, "factors.file", study.factors.file, "file", Path.is_file)
        changes["factors"] = study.factors.model_copy(update={"file": file})
    if study.signals:
        changes["signals"] = {name: _with_values(path, name, signal) for name, signal in study.signals.items()}
    if study.mixes:
        changes["mixes"] = {name: _with_file(path, name, mix) for name, mix in study.mixes.items()}
    return study.model_copy(update=changes)


def _with_file(study: Path, name: str, mix: Mix) -> Mix:
    """Return a mix with the absolute path of its scores, where it has any."""
    if mix.scores is None:
        return mix
    file = _existing(study, f"mixes.{name}.scores.file", mix.scores.file, "file", Path.is_file)
    return mix.model_copy(update={"scores": mix.scores.model_copy(update={"file": file})})


def _with_values(study: Path, name: str, signal: Signal) -> Signal:
    """Return a signal with the absolute path of its file, where it has one."""
    if signal.file is None:
        return signal
    return signal.model_copy(
        update={"file": _existing(study, f"signals.{name}.file", signal.file, "file", Path.is_file)}
    )


def _refusal(path: Path, lines: Sequence[str]) -> InputError:
    shown = [f"{path}: {line}" for line in lines[:MOST_FINDINGS]]
    if len(lines) > MOST_FINDINGS:
        shown.append(f"{path}: {len(lines) - MOST_FINDINGS:,} more findings of this kind: expected none")
    return InputError("\n".join(shown))


def _refuse_unreachable_calendar(path: Path, study: Study) -> None:
    """Refuse an exchange whose sessions the library cannot give over the study's range, before prices are fetched."""
    if study.sessions not in WITHOUT_A_LIBRARY:
        try:
            calendar_sessions(
                study.sessions, study.start, max(study.start, study.end or dt.datetime.now(dt.UTC).date())
            )
        except InputError as error:
            raise _refusal(path, [str(error)]) from None


def _existing(study: Path, field: str, written: str, kind: str, exists: Callable[[Path], bool]) -> str:
    """Return the absolute path of a folder or file that a study names, relative to the study's own folder."""
    expected = f"{study}: {field}: {show(written)}: expected a {kind} that exists"
    try:
        path = (study.parent / Path(written).expanduser()).resolve()
        found = exists(path)
    except (OSError, RuntimeError, ValueError) as error:  # an unknown ~user, a loop of links, no right to look
        raise InputError(f"{expected}: {error}") from None
    if not (written and found):
        raise InputError(f"{expected}; {path} is none (a relative {kind} starts where the study file lies)")
    return str(path)


def _keys_of(part: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Name every key of a part and of the parts in it, as paths, but for the keys that hold those."""
    for name, field in part.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is not None:
            yield from _keys_of(inner, (*path, name))
        elif not any(get_origin(kind) in (list, dict) for kind in kinds):
            yield (*path, name)


# A sweep may also list whole sets of weights, or the weights of one ticker.
_WEIGHTS = ("allocation", "weights")
_STRATEGY_KEYS = frozenset([*_keys_of(Strategy), _WEIGHTS, (*_WEIGHTS, ANY)])

_PARTS: dict[str, type[BaseModel]] = {
    "source": Source,
    "costs": Costs,
    "margin": Margin,
    "deposits": Deposits,
    "withdrawals": Withdrawals,
    "taxes": Taxes,
    "rebalance": Rebalance,
    "allocation": Allocation,
    "rule": Rule,
    "cash": Cash,
    "band": Bands,
    "default": Band,
    "deviation": Band,
    "volatility": VolatilityLevel,
    "cost_aware": CostAware,
    "bootstrap": Bootstrap,
    "smallest_difference": SmallestDifference,
    "sliders": Sliders,
    "toggles": Toggles,
    "scores": Scores,
    "factors": Factors,
    "stress": Stress,
    "select": Select,
    "defence": Defence,
}
# Parts that a study has by a name of the user's own.
_NAMED: dict[str, type[BaseModel]] = {
    "universe": Asset,
    "strategies": Strategy,
    "satellite_universe": SatelliteAsset,
    "signals": Signal,
    "mixes": Mix,
    "buckets": Plan,
}


def keys_at(location: Location) -> tuple[str, ...]:
    """Return the keys that a part of a study may have."""
    match location:
        case (str(key), _) if key in _NAMED:
            model = _NAMED[key]
        case ("mixes", _, "views", int()):
            model = View
        case ("buckets", _, "core"):
            model = Core
        case ("buckets", _, "satellites", _):
            model = Satellite
        case (*_, str(part)) if part in _PARTS:
            model = _PARTS[part]
        case _:
            model = Study
    return tuple(field.alias or name for name, field in model.model_fields.items())
