"""The columns that the table of strategies makes of the model of a strategy: name, type, unit and description.

A key of a part is a column, named by its path: ``rule: {sd_n: 8}`` is ``rule_sd_n``. A new key is a column by itself,
with the bounds that its field has.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sd_core.schemas.columns import (
    FROM_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Check,
    Column,
    flag,
    number,
    one_of,
    text,
    whole,
)
from sd_core.study.fields import Fraction
from sd_core.study.parts import Bands
from sd_core.study.strategy import Rule, Strategy

PATHS = one_of(get_args(Rule.model_fields["path"].annotation))

# The edges of bands are keys of their own in a study, one per ticker.
_EDGES = FieldInfo(annotation=dict, description="Lower and upper edge of the fixed bands, by ticker.")


@dataclass(frozen=True)
class _Leaf:
    """A key that holds a value: its path, what the model says of it, and its type.

    Attributes:
        path: of the key within a strategy.
        field: of the model.
        kind: type of the value where there is one.
        own: whether it may be missing from its part.
        optional: whether it or its part may be missing.
    """

    path: tuple[str, ...]
    field: FieldInfo
    kind: Any
    own: bool
    optional: bool

    @cached_property
    def name(self) -> str:
        return "_".join(self.path)


def strategy_columns() -> dict[str, Column]:
    """Return the columns of every key of a strategy, in the order of the model."""
    return {leaf.name: _column(leaf) for leaf in _leaves_of_strategies()}


def strategy_values(strategy: Strategy) -> dict[str, Any]:
    """Return a strategy's value in each of :func:`strategy_columns`, None where a part is not there."""
    return {leaf.name: as_column(_value(strategy, leaf.path)) for leaf in _leaves_of_strategies()}


@cache
def _leaves_of_strategies() -> tuple[_Leaf, ...]:
    return tuple(_leaves(Strategy))


def _leaves(model: type[BaseModel], path: tuple[str, ...] = (), *, optional: bool = False) -> Iterator[_Leaf]:
    for name, field in model.model_fields.items():
        kinds = (
            get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else (field.annotation,)
        )
        kind = next(kind for kind in kinds if kind is not NoneType)
        missing = optional or NoneType in kinds
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, (*path, name), optional=missing)
        else:
            yield _Leaf((*path, name), field, kind, NoneType in kinds, missing)
    if model is Bands:
        yield _Leaf((*path, "edges"), _EDGES, dict, own=True, optional=True)


def _column(leaf: _Leaf) -> Column:
    extra = leaf.field.json_schema_extra if isinstance(leaf.field.json_schema_extra, Mapping) else {}
    description, nullable = leaf.field.description or "", leaf.optional and not extra.get("filled_in")
    unit = str(extra.get("unit", ""))
    if nullable:
        missing = extra.get("null") or ("none" if leaf.own else f"no {leaf.path[-2]}")
        description = f"{description.removesuffix('.')}; NULL: {missing}."
    match leaf.kind:
        case kind if get_origin(kind) is Literal:
            return text(description, one_of(get_args(kind)), nullable=nullable)
        case kind if kind is bool:
            return flag(description, nullable=nullable)
        case kind if kind is int:
            return whole(description, unit, *_bounds(leaf), nullable=nullable)
        case kind if kind is float or get_args(kind)[:1] == (float,):
            return number(description, unit, *_bounds(leaf), nullable=nullable)
        case _:
            return text(description.replace("; NULL", ", as JSON; NULL"), nullable=True)


def _bounds(leaf: _Leaf) -> Iterator[Check]:
    """Yield what the model wants of a number; upper bounds are its own to keep."""
    if leaf.kind == Fraction:
        yield SHARE
    for bound in leaf.field.metadata:
        if getattr(bound, "gt", None) == 0:
            yield POSITIVE
        if getattr(bound, "ge", None) == 0:
            yield NOT_NEGATIVE
        if getattr(bound, "ge", None) == 1:
            yield FROM_ONE


def _value(part: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        part = None if part is None else getattr(part, name)
    return part


def as_column(value: Any) -> Any:
    """Return a value as a column holds it: what is a list or has keys is JSON, nothing where it is empty."""
    if isinstance(value, list):
        return json.dumps(value) if value else None
    if isinstance(value, Mapping):
        return json.dumps({str(key): one for key, one in value.items()}) if value else None
    return value
