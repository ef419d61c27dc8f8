"""Plans of buckets: a core, which is a scenario of the study, and the satellites beside it.

What the settings of a satellite come to, and what presets hold, belongs in ``buckets``, which this room knows by name
alone.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from sd_core.study.fields import Fraction, Name, Reserve, Ticker
from sd_core.study.findings import MisfitError, show
from sd_core.study.parts import LARGEST_LOT, Deposits, Part

Preset = Literal["momentum_hunter", "steady_eddy", "dip_buyer", "dividend_catcher", "custom", "dual"]
# The share of the account below which a satellite does not trade, by its preset.
MIN_PCT: Mapping[Preset, float] = {**dict.fromkeys(get_args(Preset), 0.02), "dual": 0.05}
# What a plan of the preset ``dual`` has where it does not say: the target of its one satellite, and the budget.
DUAL = 0.10
MAX_PCT = 0.15
MAX_BUDGET = 0.30
# Targets that sum to more than the budget by no more than this do so by rounding.
ROUNDING = 1e-9
# What is no satellite: the core, all that is beyond the account, and the account itself, a book that is no plan.
NO_SATELLITES = CORE, OUTSIDE, LIVE = ("core", "outside", "live")
# What the book of a satellite of the account that is simulated begins with.
TWIN = "twin:"


class SatelliteAsset(Part):
    """A ticker that satellites may trade."""

    lot_size: float = Field(
        0.0, ge=0, le=LARGEST_LOT, description="Smallest tradable quantity in shares; 0 means fractional."
    )


class Core(Part):
    """The core of a plan: a scenario of the study."""

    strategy: Name
    reserve: Reserve


class Sliders(Part):
    """Positions of a satellite's sliders, from 0 to 1; one that is not given is the preset's."""

    risk: Fraction | None = Field(None, description="Conservative to aggressive.")
    hold: Fraction | None = Field(None, description="Quick flips to patient holds.")
    entry: Fraction | None = Field(None, description="Buy dips to buy breakouts.")
    spread: Fraction | None = Field(None, description="Concentrated to diversified.")
    profit: Fraction | None = Field(None, description="Let winners run to take profits early.")


class Toggles(Part):
    """A satellite's switches; one that is not given is the preset's."""

    trailing: bool | None = Field(None, description="Whether a stop follows the highest close.")
    regime: bool | None = Field(None, description="Whether the market's regime scales what is opened.")
    harvest: bool | None = Field(None, description="Whether what exceeds the target goes to the core each month.")
    high_volatility: bool | None = Field(None, description="Whether nothing is opened while volatility is high.")


class Satellite(Part):
    """A satellite: what it trades, how, and which share of the account it is meant to have."""

    preset: Preset
    tickers: list[Ticker] = Field(min_length=1)
    target: float | None = Field(None, description="Share of the account that it is meant to have.")
    sliders: Sliders = Sliders()
    toggles: Toggles = Toggles()
    dividends: Literal["reinvest_same", "send_to_core", "accumulate_cash"] | None = None

    @model_validator(mode="after")
    def _target_within_rails(self) -> Self:
        if self.target is None and self.preset != "dual":
            raise MisfitError(["target: missing: expected a share of the account"])
        if not self.min_pct <= self.target_or_default <= MAX_PCT:
            raise MisfitError(
                [f"target: {show(self.target)}: expected a share of the account from {self.min_pct} to {MAX_PCT}"]
            )
        return self

    @property
    def target_or_default(self) -> float:
        """The share of the account that it is meant to have."""
        return DUAL if self.target is None else self.target

    @property
    def min_pct(self) -> float:
        """The share of the account below which it does not trade."""
        return MIN_PCT[self.preset]


class Plan(Part):
    """A core and its satellites over a history."""

    core: Core
    budget: float | None = Field(None, ge=0, le=MAX_BUDGET, description="Share of the account for all satellites.")
    deposits: Deposits | None = Field(None, description="Money that comes in; the study's by default.")
    initial: Literal["none", "target"] = Field("none", description="What satellites have of the capital at the start.")
    satellites: dict[Name, Satellite] = Field({}, description="Satellites by name; without any the core is alone.")

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if misfits := [*self._name_misfits(), *self._budget_misfits(), *self._ticker_misfits()]:
            raise MisfitError(misfits)
        return self

    def _name_misfits(self) -> Iterator[str]:
        for name in NO_SATELLITES:
            if name in self.satellites:
                yield f"satellites.{name}: expected another name, since ledgers call something else so"

    def _budget_misfits(self) -> Iterator[str]:
        if self.budget is None and [one.preset for one in self.satellites.values()] != ["dual"]:
            yield "budget: missing: expected a share of the account for all satellites"
            return
        together = math.fsum(one.target_or_default for one in self.satellites.values())
        if together > self.budget_or_default + ROUNDING:
            yield (
                f"budget: {show(self.budget_or_default)}: expected at least the targets of the satellites, "
                f"{together:.10g} together"
            )

    def _ticker_misfits(self) -> Iterator[str]:
        owner: dict[str, str] = {}
        for name, satellite in self.satellites.items():
            for ticker in satellite.tickers:
                if (other := owner.setdefault(ticker, name)) != name:
                    yield f"satellites.{name}.tickers: {show(ticker)}: expected one bucket per ticker; {other} has it"
            if len(set(satellite.tickers)) < len(satellite.tickers):
                yield f"satellites.{name}.tickers: {show(satellite.tickers)}: expected every ticker once"

    @property
    def budget_or_default(self) -> float:
        """The share of the account for all satellites."""
        return DUAL if self.budget is None else self.budget
