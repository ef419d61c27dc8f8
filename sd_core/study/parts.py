"""The parts that a study and its strategies are made of, each checked by itself.

How a strategy puts them together belongs in ``strategy``, how a study does in ``model``.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sd_core.study.fields import AssetClass, Currency, Fraction
from sd_core.study.findings import MisfitError, show

# A price touches a rung within a relative 1e-12; rungs that stand closer than this are not told apart reliably.
SMALLEST_BRACKET = 1e-9


class Part(BaseModel):
    """A part of a study: frozen, without unknown keys, and without silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Source(Part):
    """Where prices come from."""

    kind: Literal["yahoo", "csv", "sample"]
    folder: str | None = Field(None, description="Folder of the CSV files; relative to the study's own folder.")

    @model_validator(mode="after")
    def _folder_belongs_to_csv(self) -> Self:
        if self.kind == "csv" and self.folder is None:
            raise MisfitError(["folder: missing: expected the folder of the CSV files"])
        if self.kind != "csv" and self.folder is not None:
            raise MisfitError([f"folder: {show(self.folder)}: expected no folder, since the kind is {self.kind}"])
        return self


class Costs(Part):
    """What a trade costs: ``fixed + bps / 10 000 × quantity × price``."""

    bps: float = Field(0.0, ge=0, description="Proportional fee in basis points of the traded value.")
    fixed: float = Field(0.0, ge=0, description="Fixed fee per trade, in the study's currency.")


class Margin(Part):
    """Credit on which a strategy may buy."""

    limit: float = Field(gt=0, le=1, description="How far buys may overdraw the bank, a fraction of the value.")
    rate: float = Field(ge=0, lt=1, description="Yearly rate that an overdrawn bank pays, a fraction.")


Every = Literal["month", "quarter", "year"]


class Deposits(Part):
    """Money that comes in from outside."""

    amount: float = Field(gt=0, description="Money per period, in the study's currency.")
    every: Every = "month"


class Withdrawals(Part):
    """Money that is to go out, and what happens where it is not there."""

    amount: float | None = Field(None, gt=0, description="Money per period, in the study's currency.")
    rate: float | None = Field(None, gt=0, le=1, description="Yearly rate, a fraction, spread over the periods.")
    of: Literal["capital", "value"] = Field("capital", description="What the rate is taken of.")
    every: Every = "month"
    coverage: float = Field(0.0, ge=0, description="Proceeds over withdrawals scheduled, below which one is skipped.")
    coverage_of: Literal["gross", "net"] = Field("gross", description="Proceeds: sales alone, or less purchases.")
    shortfall: Literal["none", "overweight", "pro_rata", "lowest_tax"] = Field("none", description="What is sold.")
    indexed: bool = Field(False, description="Whether the money grows with the study's price index.")

    @model_validator(mode="after")
    def _amount_or_rate(self) -> Self:
        if (self.amount is None) == (self.rate is None):
            raise MisfitError([f"amount: {show(self.amount)}: expected an amount or a rate, one of the two"])
        if self.indexed and self.amount is None and self.of == "value":
            raise MisfitError(["indexed: true: expected false, since the value that the rate is of grows by itself"])
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        misfits = []
        if "of" in self.model_fields_set and self.rate is None:
            misfits.append(f"of: {self.of}: expected a rate beside it, since an amount is taken of nothing")
        if "coverage_of" in self.model_fields_set and "coverage" not in self.model_fields_set:
            misfits.append(f"coverage_of: {self.coverage_of}: expected a coverage beside it")
        if misfits:
            raise MisfitError(misfits)
        return self


class Taxes(Part):
    """Rates at which gains and income are taxed; ``docs/taxes.md`` says what they apply to."""

    short_term: Fraction = Field(description="Of gains on shares held for a year or less.")
    long_term: Fraction = Field(description="Of gains on shares held for more than a year.")
    dividends: Fraction | None = Field(None, description="Of dividends; None is the rate of long-term gains.")
    interest: Fraction | None = Field(None, description="Of interest; None is the rate of short-term gains.")

    @property
    def dividends_or_default(self) -> float:
        """The rate of dividends, taken for qualified ones where the study does not say."""
        return self.long_term if self.dividends is None else self.dividends

    @property
    def interest_or_default(self) -> float:
        """The rate of interest, ordinary income where the study does not say."""
        return self.short_term if self.interest is None else self.interest


class Band(Part):
    """How far a weight may stand from its target."""

    width: float = Field(gt=0, description="A fraction: of what is invested, or of the target.")
    kind: Literal["absolute", "relative"] = "absolute"


class VolatilityLevel(Part):
    """A volatility of the portfolio that is too much."""

    level: float = Field(gt=0, description="Yearly volatility, a fraction.")
    window: int = Field(63, ge=2, le=10_000, description="Sessions that it is taken over.")


class Rebalance(Part):
    """What brings a portfolio back to its target weights; any of them suffices."""

    every: Every | None = Field(None, description="The first session of each new period.")
    deviation: Band | None = Field(None, description="Some weight further from its target than this.")
    volatility: VolatilityLevel | None = Field(None, description="A portfolio more volatile than this.")

    @model_validator(mode="after")
    def _some_trigger(self) -> Self:
        if self.every is None and self.deviation is None and self.volatility is None:
            raise MisfitError(["every: missing: expected a trigger: every, deviation or volatility"])
        return self


class CostAware(Part):
    """Trades of portfolio rules that are not worth making."""

    min_trade: float = Field(0.0, ge=0, description="Smallest worth of a trade, in the study's currency.")
    max_cost: float = Field(1.0, gt=0, le=1, description="Highest fee, as a fraction of the traded value.")


class Bootstrap(Part):
    """How many histories are drawn to tell luck from the reserve's own doing."""

    histories: int = Field(1_000, ge=2, le=100_000, description="Histories to draw.")
    block: float | None = Field(None, ge=1, description="Mean length of a block in sessions; from the data by default.")
    seed: int = Field(1, ge=0, description="The same seed draws the same histories.")


class Rung(Part):
    """How far apart an asset's rungs stand, and which share of the gain is traded at each."""

    sd_n: float | None = Field(None, ge=1, description="Equal logarithmic steps per doubling of the price.")
    bracket: float | None = Field(None, gt=0, description="Distance of the next higher rung, a fraction of the price.")
    profit_share: Fraction | None = Field(None, description="Share of a rung's gain that is traded.")

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        if self.sd_n is not None and self.bracket is not None:
            raise MisfitError([f"bracket: {self.bracket}: expected sd_n or bracket, not both, but sd_n is {self.sd_n}"])
        if self.spacing is not None and self.spacing < SMALLEST_BRACKET:
            field = "bracket" if self.sd_n is None else "sd_n"
            raise MisfitError([f"{field}: {getattr(self, field)}: expected rungs at least {SMALLEST_BRACKET} apart"])
        return self

    @property
    def spacing(self) -> float | None:
        """The bracket r = 2 ** (1 / sd_n) - 1, or the bracket as given; None where neither is set."""
        return 2.0 ** (1.0 / self.sd_n) - 1.0 if self.sd_n is not None else self.bracket


class Asset(Rung):
    """One asset of the universe, with what it overrides of a strategy."""

    weight: float = Field(ge=0, description="Target weight; the universe's weights are scaled to sum to 1.")
    asset_class: AssetClass = "unclassified"
    lot_size: float = Field(0.0, ge=0, description="Smallest tradable quantity in shares; 0 means fractional.")
    currency: Currency | None = Field(None, description="Quote currency where it is not the study's.")
