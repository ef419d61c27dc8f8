"""The parts that a study and its strategies are made of, each checked by itself.

How a strategy puts them together belongs in ``strategy``, how a study does in ``model``.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from sd_core.study.fields import AssetClass, CalendarDate, Currency, Fraction, Name, Ticker
from sd_core.study.findings import MisfitError, show

# A price touches a rung within a relative 1e-12; rungs closer together than this cannot be distinguished reliably.
SMALLEST_BRACKET = 1e-9

# Units of numbers, for the columns that tables make of them.
MONEY: JsonDict = {"unit": "currency"}
FRACTION: JsonDict = {"unit": "fraction"}
YEARLY: JsonDict = {"unit": "fraction per year"}
RATIO: JsonDict = {"unit": "ratio"}
COUNT: JsonDict = {"unit": "count"}
BASIS_POINTS: JsonDict = {"unit": "basis points"}
# Of a key whose default depends on other keys: its column has what that comes to.
FILLED_IN: JsonDict = {"filled_in": True}


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

    bps: float = Field(
        0.0, ge=0, description="Proportional fee of a trade, of the traded value.", json_schema_extra=BASIS_POINTS
    )
    fixed: float = Field(
        0.0, ge=0, description="Fixed fee of a trade, in the study's currency.", json_schema_extra=MONEY
    )


class Margin(Part):
    """Credit on which a strategy may buy."""

    limit: float = Field(
        gt=0,
        le=1,
        description="How far buys may overdraw the bank, relative to the value at the close before.",
        json_schema_extra=FRACTION,
    )
    rate: float = Field(ge=0, lt=1, description="What an overdrawn bank pays.", json_schema_extra=YEARLY)


Every = Literal["month", "quarter", "year"]


# More than is deposited or traded at once; beyond, amounts lose their cents.
LARGEST_CAPITAL = LARGEST_DEPOSIT = 1e12
LARGEST_LOT = 1e9
LumpSums = Annotated[dict[CalendarDate, Annotated[float, Field(gt=0, le=LARGEST_DEPOSIT)]], Field(min_length=1)]


class Deposits(Part):
    """Money that comes in from outside: so much each period, sums on dates, or both."""

    amount: float | None = Field(
        None, gt=0, le=LARGEST_DEPOSIT, description="Money per period, in the study's currency."
    )
    every: Every = "month"
    on: LumpSums | None = Field(None, description="Lump sums by date, in the study's currency.")
    invest: bool = Field(True, description="Whether all but the reserve's share of it is invested at once.")

    @model_validator(mode="after")
    def _something_comes(self) -> Self:
        if self.amount is None and self.on is None:
            raise MisfitError(["amount: missing: expected an amount each period, or lump sums by date (on)"])
        if self.amount is None and "every" in self.model_fields_set:
            raise MisfitError([f"every: {self.every}: expected an amount beside it, since lump sums have dates"])
        return self


class Withdrawals(Part):
    """Money that is to go out, and what happens where the bank lacks it."""

    amount: float | None = Field(
        None, gt=0, description="Money due each period, in the study's currency.", json_schema_extra=MONEY
    )
    rate: float | None = Field(
        None, gt=0, le=1, description="Yearly rate that is due, spread over the periods.", json_schema_extra=YEARLY
    )
    of: Literal["capital", "value"] = Field(
        "capital", description="What the rate is taken of.", json_schema_extra={"null": "no rate"}
    )
    every: Every = Field("month", description="Period of withdrawals.", json_schema_extra={"null": "lump sums alone"})
    on: LumpSums | None = Field(None, description="Lump sums that are due besides, by date, in the study's currency.")
    coverage: float = Field(
        0.0,
        ge=0,
        description="Proceeds of the rule over withdrawals scheduled, below which one is skipped.",
        json_schema_extra=RATIO,
    )
    coverage_of: Literal["gross", "net"] = Field(
        "gross", description="Which proceeds count: gross, of sales alone, or net, of sales less purchases."
    )
    shortfall: Literal["none", "overweight", "pro_rata", "lowest_tax"] = Field(
        "pro_rata", description="What is sold where the bank does not hold what is due."
    )
    indexed: bool = Field(False, description="Whether what is due follows the study's price index.")

    @property
    def is_of_value(self) -> bool:
        """Whether what is due is a rate of the value, whatever that is."""
        return self.amount is None and self.of == "value"

    @model_validator(mode="after")
    def _amount_or_rate(self) -> Self:
        if self.amount is not None and self.rate is not None:
            raise MisfitError([f"amount: {show(self.amount)}: expected an amount or a rate, one of the two"])
        if not self.is_periodic and self.on is None:
            raise MisfitError(["amount: missing: expected an amount, a rate, or lump sums by date (on)"])
        if self.indexed and self.is_of_value:
            raise MisfitError(["indexed: true: expected false, since the value that the rate is of grows by itself"])
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        misfits = []
        if not self.is_periodic:
            misfits += [
                f"{key}: {show(getattr(self, key))}: expected an amount or a rate beside it, since lump sums have dates"
                for key in ("every", "indexed")
                if key in self.model_fields_set and getattr(self, key) is not False
            ]
        if "of" in self.model_fields_set and self.rate is None:
            misfits.append(f"of: {self.of}: expected a rate beside it, since an amount is taken of nothing")
        if "coverage_of" in self.model_fields_set and "coverage" not in self.model_fields_set:
            misfits.append(f"coverage_of: {self.coverage_of}: expected a coverage beside it")
        if misfits:
            raise MisfitError(misfits)
        return self

    @property
    def is_periodic(self) -> bool:
        """Whether something is due each period."""
        return self.amount is not None or self.rate is not None


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


def _some_weight(weights: dict[str, float]) -> dict[str, float]:
    if not 0 < sum(weights.values()) < math.inf:
        raise ValueError("expected weights whose sum is finite and above 0")
    return weights


Weights = Annotated[dict[Ticker, Annotated[float, Field(ge=0)]], AfterValidator(_some_weight)]


KIND = "What the width is a fraction of: absolute, of what is to be invested; relative, of the target."


class Band(Part):
    """How far a weight may be from its target."""

    width: float = Field(
        gt=0, description="How far a weight may be from its target before it triggers.", json_schema_extra=FRACTION
    )
    kind: Literal["absolute", "relative"] = Field("absolute", description=KIND)


class VolatilityLevel(Part):
    """A volatility of the portfolio above which it is rebalanced."""

    level: float = Field(
        gt=0, description="Volatility of the portfolio above which it triggers.", json_schema_extra=YEARLY
    )
    window: int = Field(
        63, ge=2, le=10_000, description="Sessions that volatility is taken over.", json_schema_extra=COUNT
    )


class CostAware(Part):
    """Trades of portfolio rules that are not worth making."""

    min_trade: float = Field(
        0.0,
        ge=0,
        description="Smallest worth of a portfolio rule's trade, in the study's currency.",
        json_schema_extra=MONEY,
    )
    max_cost: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Highest fee of a portfolio rule's trade, relative to its worth.",
        json_schema_extra=FRACTION,
    )


class Patience(Part):
    """How long a triggered trade waits for the price to stop running away."""

    sessions: int = Field(
        ge=1, le=10_000, description="Most sessions that a trade waits once it is triggered.", json_schema_extra=COUNT
    )
    mean: int = Field(
        ge=2,
        le=10_000,
        description="Sessions whose mean close a price must have come back to.",
        json_schema_extra=COUNT,
    )


class Rebalance(Part):
    """What returns a portfolio to its target weights; any trigger suffices."""

    every: Every | None = Field(None, description="Period whose first session triggers.")
    deviation: Band | None = Field(None, description="Distance of some weight from its target that triggers.")
    volatility: VolatilityLevel | None = Field(None, description="Volatility of the portfolio that triggers.")
    on_change: bool | None = Field(
        None, description="Whether targets that change trigger.", json_schema_extra={"null": "they never change"}
    )
    patience: Patience | None = Field(None, description="How long a triggered trade waits for its price.")
    cost_aware: CostAware | None = Field(None, description="Which trades of portfolio rules are too small or dear.")

    @property
    def has_trigger(self) -> bool:
        """Whether anything but a change of targets triggers."""
        return any(trigger is not None for trigger in (self.every, self.deviation, self.volatility))


def _edges(edges: list[float]) -> list[float]:
    if len(edges) != 2 or not 0 <= edges[0] < edges[1] <= 1:
        raise ValueError("expected a lower and an upper edge from 0 to 1, such as [0.2, 0.3]")
    return edges


Edges = Annotated[list[float], AfterValidator(_edges)]


class Bands(Part):
    """Within which distance of their targets, or between which edges, the weights of assets are held.

    One width for all of them; or, by ticker, the edges of some, and a default for the others.
    """

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, Edges]

    width: float | None = Field(
        None,
        gt=0,
        description="How far a weight may be from its target before it is returned to the band.",
        json_schema_extra=FRACTION,
    )
    kind: Literal["absolute", "relative"] | None = Field(None, description=KIND)
    default: Band | None = Field(None, description="The band of assets without edges of their own.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        misfits = []
        if self.width is None and self.kind is not None and self.edges:
            misfits.append(f"kind: {self.kind}: expected it in default, beside edges by ticker")
        if self.width is not None and (self.default is not None or self.edges):
            misfits.append(f"width: {self.width}: expected it in default, beside edges by ticker")
        if self.width is None and not self.edges:
            misfits.append("width: missing: expected a width, or edges by ticker")
        if misfits:
            raise MisfitError(misfits)
        return self

    @property
    def edges(self) -> Mapping[str, Sequence[float]]:
        """The lower and the upper edge by ticker, of assets that have their own."""
        return self.__pydantic_extra__ or {}

    @property
    def around_targets(self) -> Band | None:
        """The band of every asset without edges of its own, or None where those have none."""
        return self.default if self.width is None else Band(width=self.width, kind=self.kind or "absolute")


class Cash(Part):
    """What happens when the bank holds much cash."""

    high: float = Field(
        ge=0,
        lt=1,
        description="Share of cash above which the excess over the reserve is deployed.",
        json_schema_extra=FRACTION,
    )
    candidates: list[Ticker] = Field(
        [],
        description="Tickers that are bought with the cash left above all targets, in this order.",
        json_schema_extra={"null": "none"},
    )


class Harvest(Part):
    """Which losses are realised for their taxes, and what is held in the place of what was sold."""

    loss: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="How far a price must be below the average cost, a fraction of the cost.",
        json_schema_extra=FRACTION,
    )
    min_loss: float = Field(
        0.0, ge=0, description="Smallest loss that is realised, in the study's currency.", json_schema_extra=MONEY
    )
    every: Every = Field("month", description="Period on whose first session losses are looked for.")
    substitute: dict[Ticker, Ticker] = Field(
        {},
        description="Pairs of tickers, either of which is bought in the place of the other.",
        json_schema_extra={"null": "none"},
    )

    @model_validator(mode="after")
    def _one_pair_each(self) -> Self:
        named = Counter([*self.substitute, *self.substitute.values()])
        if misfits := [
            f"substitute: {ticker}: expected in one pair, either of which is bought in the place of the other"
            for ticker, times in named.items()
            if times > 1
        ]:
            raise MisfitError(misfits)
        return self

    @property
    def pairs(self) -> dict[str, str]:
        """The substitute of every ticker that has one, both ways."""
        return self.substitute | {other: ticker for ticker, other in self.substitute.items()}


class Allocation(Part):
    """Target weights of a strategy where they are not the universe's."""

    weights: Weights | None = Field(
        None, description="Target weights by ticker, on a scale of their own, where they never change."
    )
    schedule: dict[CalendarDate, Weights] | None = Field(
        None, min_length=1, description="Target weights by the date from whose close on they are in force."
    )
    mix: Name | None = Field(
        None, description="Mix of the study that decides the target weights.", json_schema_extra={"null": "no mix"}
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        given = [name for name in ("weights", "schedule", "mix") if getattr(self, name) is not None]
        if not given:
            raise MisfitError(["weights: missing: expected weights, a schedule or a mix"])
        if len(given) > 1:
            first = given[0]
            raise MisfitError(
                [f"{first}: {show(getattr(self, first))}: expected weights, a schedule or a mix, one of them"]
            )
        return self

    @property
    def rows(self) -> dict[dt.date, dict[str, float]]:
        """The weights that are written, by date, ascending; what never changes has a date before every session."""
        return dict(sorted(self.schedule.items())) if self.schedule else {dt.date.min: self.weights or {}}


class SmallestDifference(Part):
    """Differences between two reserves, or beside the same cash, that matter, by measure; 0 lets every one matter."""

    wealth: float = Field(0.001, ge=0, description="Of the growth of wealth.", json_schema_extra=YEARLY)
    sharpe: float = Field(0.01, ge=0, description="Of the Sharpe ratio.", json_schema_extra=RATIO)
    max_drawdown: float = Field(0.01, ge=0, description="Of the worst drawdown.", json_schema_extra=FRACTION)


def _distinct_rates(rates: list[float]) -> list[float]:
    if repeated := [str(rate) for rate, times in Counter(rates).items() if times > 1]:
        raise ValueError(f"expected every rate once, but {', '.join(repeated)} is repeated")
    return rates


class Bootstrap(Part):
    """The bootstrap samples that separate luck from the effect of the reserve."""

    histories: int = Field(1_000, ge=2, le=100_000, description="Bootstrap samples to simulate.")
    block: float | None = Field(None, ge=1, description="Mean length of a block in sessions; from the data by default.")
    seed: int = Field(1, ge=0, description="The same seed gives the same bootstrap samples.")
    years: int | None = Field(None, ge=1, le=100, description="Years of a sample; as long as the history by default.")
    centre: Literal["history"] | None = Field(
        None, description="What the median sample grows by: as it turns out by default, or as the history did."
    )
    parameter_uncertainty: bool = Field(
        False, description="Whether each sample has drifts of its own, as far off as an estimate may be."
    )
    smallest_difference: SmallestDifference = Field(
        SmallestDifference(wealth=0.001, sharpe=0.01, max_drawdown=0.01),
        description="Smallest difference that matters, between two reserves or beside the same cash.",
    )
    withdrawal_rates: Annotated[list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(_distinct_rates)] = Field(
        [0.04], description="Yearly withdrawals to try beside those of the study, fractions of the capital."
    )


class Rung(Part):
    """How far apart an asset's rungs are, and which share of the gain is traded at each."""

    sd_n: float | None = Field(
        None, ge=1, description="Equal logarithmic steps per doubling of the price.", json_schema_extra=COUNT
    )
    bracket: float | None = Field(
        None, gt=0, description="Distance of the next higher rung, a fraction of the price.", json_schema_extra=FRACTION
    )
    profit_share: Fraction | None = Field(
        None, description="Share of a rung's gain that is traded.", json_schema_extra=FRACTION
    )

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
    lot_size: float = Field(
        0.0, ge=0, le=LARGEST_LOT, description="Smallest tradable quantity in shares; 0 means fractional."
    )
    currency: Currency | None = Field(None, description="Quote currency where it is not the study's.")
