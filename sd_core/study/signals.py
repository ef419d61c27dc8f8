"""Signals: what is asked of past prices about each asset, each checked by itself.

What they are worth and how they are computed belongs in ``sql/signals``; which mixes act on one in ``mixes``.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from sd_core.study.fields import Name
from sd_core.study.findings import MisfitError, show
from sd_core.study.mixes import BOOSTED, SHARPE
from sd_core.study.parts import Part
from sd_core.wording import did_you_mean

SignalKind = Literal[
    "momentum",
    "sector",
    "trend",
    "reversal",
    "mean_reversion",
    "relative_strength",
    "low_volatility",
    "discount",
    "ex_dividend",
    "spillover",
    "file",
    "blend",
]


class Signal(Part):
    """A number per asset at the last session of each month. ``docs/signals.md`` defines every kind."""

    kind: SignalKind
    file: str | None = Field(None, min_length=1, description="CSV file with the columns Date, Ticker and Value.")
    of: dict[Name, float] | list[Name] | None = Field(
        None, min_length=1, description="Signals that are blended: with a weight each, or a list beside weights: ic."
    )
    weights: Literal["ic"] | None = Field(
        None, description="Weights by what the signals have predicted so far, in place of fixed ones."
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if misfits := [*self._file_misfits(), *self._blend_misfits()]:
            raise MisfitError(misfits)
        return self

    def _file_misfits(self) -> Iterator[str]:
        if self.kind == "file" and self.file is None:
            yield "file: missing: expected a CSV file with the columns Date, Ticker and Value"
        if self.kind != "file" and self.file is not None:
            yield f"file: {show(self.file)}: expected none, since the kind is {self.kind}"

    def _blend_misfits(self) -> Iterator[str]:
        if self.kind != "blend":
            for key in ("of", "weights"):
                if getattr(self, key) is not None:
                    yield f"{key}: {show(getattr(self, key))}: expected none, since the kind is {self.kind}"
            return
        match self.of:
            case None:
                yield "of: missing: expected the signals that are blended, such as {momentum: 0.5, trend: 0.5}"
            case dict() if self.weights is not None:
                yield f"of: {show(self.of)}: expected a list of signals beside weights: {self.weights}"
            case dict() if 0.0 in self.of.values():
                yield f"of: {show(self.of)}: expected weights other than 0"
            case list() if self.weights is None:
                yield f"of: {show(self.of)}: expected a weight for each signal, or weights: ic"
            case list() if len(set(self.of)) < len(self.of):
                yield f"of: {show(self.of)}: expected every signal once"

    @property
    def parts(self) -> Mapping[str, float | None]:
        """What is blended, with its fixed weight; None where weights follow from the past."""
        return self.of if isinstance(self.of, dict) else dict.fromkeys(self.of or ())


def signal_misfits(signals: Mapping[str, Signal]) -> Iterator[str]:
    """Name what is wrong between the signals of a study."""
    for name, signal in signals.items():
        if name in (BOOSTED, SHARPE):
            yield f"signals.{name}: expected another name, since mixes mean something else by it"
        for part in signal.parts:
            if part not in signals:
                yield f"signals.{name}.of: {show(part)}: expected a signal of the study{did_you_mean(part, signals)}"
            elif signals[part].kind == "blend":
                yield f"signals.{name}.of: {show(part)}: expected a signal that is no blend itself"
