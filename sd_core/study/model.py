"""The validated study: what is to be simulated, on which prices, and with which rules.

A study is read once, here, and trusted everywhere else: ``load_study`` turns a YAML file into a frozen :class:`Study`
or refuses it. How the file is parsed belongs in ``study_yaml``, strategies written with lists in ``study_sweeps``, the
kinds of values in ``study_fields``, the wording of a refusal in ``study_findings``. How a study's rules act on prices
belongs in ``simulation``; where its prices come from in ``market``.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from sd_core.errors import InputError
from sd_core.study.document import read_mapping
from sd_core.study.fields import (
    AssetClass,
    CalendarDate,
    Currency,
    Fraction,
    Name,
    Reserves,
    RiskFree,
    Sessions,
    Ticker,
)
from sd_core.study.findings import Location, MisfitError, findings, show
from sd_core.study.sweeps import spread

# Findings of a refusal that are shown; a sweep can give one per combination.
MOST_FINDINGS = 50

# A scenario is a partition, and more of them than this are slow to look at in Dagster.
MOST_SCENARIOS = 100_000

DEFAULT_SD_N = 8.0
DEFAULT_PROFIT_SHARE = 0.5

# A price touches a rung within a relative 1e-12; rungs that stand closer than this are not told apart reliably.
SMALLEST_BRACKET = 1e-9


class _Part(BaseModel):
    """A part of a study: frozen, without unknown keys, and without silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Source(_Part):
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


class Costs(_Part):
    """What a trade costs: ``fixed + bps / 10 000 × quantity × price``."""

    bps: float = Field(0.0, ge=0, description="Proportional fee in basis points of the traded value.")
    fixed: float = Field(0.0, ge=0, description="Fixed fee per trade, in the study's currency.")


class Margin(_Part):
    """Credit on which a strategy may buy."""

    limit: float = Field(gt=0, le=1, description="How far buys may overdraw the bank, a fraction of the value.")
    rate: float = Field(ge=0, lt=1, description="Yearly rate that an overdrawn bank pays, a fraction.")


Every = Literal["month", "quarter", "year"]


class Deposits(_Part):
    """Money that comes in from outside."""

    amount: float = Field(gt=0, description="Money per period, in the study's currency.")
    every: Every = "month"


class Withdrawals(_Part):
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


class Taxes(_Part):
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


class Band(_Part):
    """How far a weight may stand from its target."""

    width: float = Field(gt=0, description="A fraction: of what is invested, or of the target.")
    kind: Literal["absolute", "relative"] = "absolute"


class VolatilityLevel(_Part):
    """A volatility of the portfolio that is too much."""

    level: float = Field(gt=0, description="Yearly volatility, a fraction.")
    window: int = Field(63, ge=2, le=10_000, description="Sessions that it is taken over.")


class Rebalance(_Part):
    """What brings a portfolio back to its target weights; any of them suffices."""

    every: Every | None = Field(None, description="The first session of each new period.")
    deviation: Band | None = Field(None, description="Some weight further from its target than this.")
    volatility: VolatilityLevel | None = Field(None, description="A portfolio more volatile than this.")

    @model_validator(mode="after")
    def _some_trigger(self) -> Self:
        if self.every is None and self.deviation is None and self.volatility is None:
            raise MisfitError(["every: missing: expected a trigger: every, deviation or volatility"])
        return self


class CostAware(_Part):
    """Trades of portfolio rules that are not worth making."""

    min_trade: float = Field(0.0, ge=0, description="Smallest worth of a trade, in the study's currency.")
    max_cost: float = Field(1.0, gt=0, le=1, description="Highest fee, as a fraction of the traded value.")


class Bootstrap(_Part):
    """How many histories are drawn to tell luck from the reserve's own doing."""

    histories: int = Field(1_000, ge=2, le=100_000, description="Histories to draw.")
    block: float | None = Field(None, ge=1, description="Mean length of a block in sessions; from the data by default.")
    seed: int = Field(1, ge=0, description="The same seed draws the same histories.")


class _Rung(_Part):
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


class Asset(_Rung):
    """One asset of the universe, with what it overrides of a strategy."""

    weight: float = Field(ge=0, description="Target weight; the universe's weights are scaled to sum to 1.")
    asset_class: AssetClass = "unclassified"
    lot_size: float = Field(0.0, ge=0, description="Smallest tradable quantity in shares; 0 means fractional.")
    currency: Currency | None = Field(None, description="Quote currency where it is not the study's.")


class Strategy(_Rung):
    """The rules of one strategy. ``docs/simulation.md`` says what each key does."""

    variant: Literal["full", "ath_only", "ath_sell", "buy_and_hold"] = "full"
    sizing: Literal["gain_share", "symmetric"] = "gain_share"
    coordination: Literal["simple", "nav_opportunistic", "target", "hybrid", "hold"] = "simple"
    path: Literal["nearest", "low_first", "high_first", "close_only"] = "nearest"
    anchor: Literal["ladder", "fill"] = "ladder"
    max_rungs: int = Field(
        64, ge=1, le=1_000_000, description="Most rungs that an asset fills or passes per side and leg."
    )
    lot_order: Literal["lifo", "fifo"] = "lifo"
    margin: Margin | None = Field(None, description="Credit on which the strategy may buy; none by default.")
    rebalance: Rebalance | None = Field(None, description="When the portfolio returns to its target weights.")
    band: Band | None = Field(None, description="Within which distance of its target the rule may trade an asset.")
    cost_aware: CostAware | None = Field(None, description="Which trades of the portfolio rules are too small or dear.")
    cash_low: float | None = Field(None, gt=0, le=1, description="Share of cash below which the rule buys less.")
    cash_high: float | None = Field(None, ge=0, lt=1, description="Share of cash above which the excess is deployed.")
    drift: float | None = Field(None, gt=0, description="Share of its target by which a weight may exceed it.")
    premium_spread: float | None = Field(None, gt=0, description="Spread of premiums above which one pair trades.")
    adaptive_bracket: bool = Field(False, description="Whether brackets follow the frequency of gaps.")
    portfolio_stop: float | None = Field(None, gt=0, lt=1, description="Drawdown beyond which the rule stops buying.")
    keep: Literal["ledger", "daily", "metrics"] = "ledger"
    costs: Costs | None = Field(None, description="Costs of this strategy where they are not the study's.")
    withdrawals: Withdrawals | None = Field(None, description="Its withdrawals where they are not the study's.")

    @model_validator(mode="after")
    def _symmetric_needs_the_newest_lot(self) -> Self:
        if self.sizing == "symmetric" and self.lot_order != "lifo":
            raise MisfitError([f"lot_order: {self.lot_order}: expected lifo, since the sizing is symmetric"])
        return self

    @model_validator(mode="after")
    def _rules_have_what_they_need(self) -> Self:
        if misfits := [*self._missing_parts(), *self._parts_without_effect()]:
            raise MisfitError(misfits)
        return self

    def _missing_parts(self) -> Iterator[str]:
        if self.coordination == "target" and self.rebalance is None:
            yield "rebalance: missing: expected a trigger, since the coordination is target"
        if self.coordination == "hybrid" and self.band is None:
            yield "band: missing: expected a width, since the coordination is hybrid"

    def _parts_without_effect(self) -> Iterator[str]:
        """Name what could never do anything: it would mislead whoever reads the study."""
        variant, coordination = self.variant, self.coordination
        if coordination not in ("target", "hold"):
            yield from self._unwanted(["rebalance"], f"the coordination is {coordination} and not target or hold")
        if coordination != "hybrid":
            yield from self._unwanted(["band"], f"the coordination is {coordination} and not hybrid")
        purchases = ("margin", "cash_low", "portfolio_stop")
        closing = ("drift", "premium_spread", "cash_high")
        if variant == "buy_and_hold":
            if coordination in ("target", "hybrid", "hold"):
                yield (
                    f"coordination: {coordination}: expected simple, since the variant is buy_and_hold; a rebalanced "
                    "portfolio has the variant full and the coordination hold"
                )
            everything = (*closing, "cost_aware", *purchases, "adaptive_bracket")
            yield from self._unwanted(everything, "the variant is buy_and_hold")
            return
        if coordination == "hold":
            reason = "the coordination is hold and the rule does not trade"
            yield from self._unwanted((*purchases, "adaptive_bracket"), reason)
        elif variant == "ath_only":
            yield from self._unwanted(purchases, "the variant is ath_only and the rule does not buy")
        if all(getattr(self, name) is None for name in ("rebalance", "band", *closing)):
            reason = f"there is no trade to forgo without rebalance, band, {', '.join(closing[:-1])} or {closing[-1]}"
            yield from self._unwanted(["cost_aware"], reason)

    def _unwanted(self, names: Iterable[str], reason: str) -> Iterator[str]:
        """Word a finding for each of the keys that is given."""
        for name in names:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                written = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
                yield f"{name}: {show(written)}: expected none, since {reason}"

    @property
    def is_passive(self) -> bool:
        """Whether the rule never trades."""
        return self.variant == "buy_and_hold" or self.coordination == "hold"

    @property
    def sd_n_or_default(self) -> float | None:
        """Steps per doubling; None where the strategy gives its bracket outright."""
        return DEFAULT_SD_N if self.spacing is None else self.sd_n

    @property
    def spacing_or_default(self) -> float:
        """The bracket that an asset without its own trades at."""
        return self.spacing or 2.0 ** (1.0 / DEFAULT_SD_N) - 1.0

    @property
    def profit_share_or_default(self) -> float:
        """The profit share that an asset without its own trades at."""
        return DEFAULT_PROFIT_SHARE if self.profit_share is None else self.profit_share


class Scenario(BaseModel):
    """One strategy at one cash reserve: the unit of simulation, and one partition."""

    model_config = ConfigDict(frozen=True)

    strategy: str
    reserve: float

    @property
    def reserve_key(self) -> str:
        """The reserve in percent as a partition key: 0.1 is ``r10``, 0.025 is ``r2_5``."""
        return reserve_key(self.reserve)


def reserve_key(reserve: float) -> str:
    """Return the partition key of a reserve given as a fraction.

    >>> reserve_key(0.1), reserve_key(0.025), reserve_key(0.1225)
    ('r10', 'r2_5', 'r12_25')
    """
    return "r" + f"{round(reserve * 100, 2):.2f}".rstrip("0").rstrip(".").replace(".", "_")


def _weighted_and_distinct(universe: dict[str, Asset]) -> dict[str, Asset]:
    misfits = []
    if not 0 < sum(asset.weight for asset in universe.values()) < math.inf:
        ticker, heaviest = max(universe.items(), key=lambda item: item[1].weight)
        misfits.append(f"{ticker}.weight: {heaviest.weight}: expected weights whose sum is finite and above 0")
    seen: dict[str, str] = {}
    for ticker in universe:
        if (twin := seen.setdefault(ticker.lower(), ticker)) != ticker:
            misfits.append(f"{ticker}: expected tickers that differ by more than case, but {twin} is there too")
    if misfits:
        raise MisfitError(misfits)
    return universe


class Study(_Part):
    """Everything that one study asks for. Made by :func:`load_study`; immutable."""

    name: Name
    source: Source
    start: CalendarDate
    end: CalendarDate | None = None
    sessions: Sessions = "XNYS"
    capital: float = Field(gt=0)
    currency: Currency = "USD"
    benchmark: Ticker = "universe"
    risk_free: RiskFree = 0.0
    price_index: str | None = Field(None, min_length=1, description="CSV file of consumer prices by date.")
    universe: Annotated[dict[Ticker, Asset], Field(min_length=1), AfterValidator(_weighted_and_distinct)]
    candidates: list[Ticker] = Field([], description="Assets bought with cash that no target asks for, in this order.")
    reserves: Reserves
    costs: Costs = Costs(bps=0, fixed=0)
    deposits: Deposits | None = None
    withdrawals: Withdrawals | None = None
    bootstrap: Bootstrap = Bootstrap(histories=1_000, block=None, seed=1)
    taxes: Taxes | None = None
    path_band: bool = Field(False, description="Whether every scenario is simulated under all paths.")
    strategies: dict[Name, Strategy] = Field(min_length=1)
    _sweeps: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if misfits := [
            *self._range_misfits(),
            *self._currency_misfits(),
            *self._ticker_misfits(),
            *self._index_misfits(),
        ]:
            raise MisfitError(misfits)
        return self

    def _index_misfits(self) -> Iterator[str]:
        if self.price_index is None:
            asking = {
                "": self.withdrawals,
                **{f"strategies.{name}.": s.withdrawals for name, s in self.strategies.items()},
            }
            for place, withdrawals in asking.items():
                if withdrawals is not None and withdrawals.indexed:
                    yield f"{place}withdrawals.indexed: true: expected false, since the study has no price_index"

    def _range_misfits(self) -> Iterator[str]:
        if self.end is not None and self.end < self.start:
            yield f"end: {self.end}: expected a date on or after start, {self.start}"
        if (scenarios := len(self.strategies) * len(self.reserves)) > MOST_SCENARIOS:
            yield (
                f"strategies: {len(self.strategies):,} at {len(self.reserves):,} reserves are {scenarios:,} scenarios: "
                f"expected at most {MOST_SCENARIOS:,}"
            )

    def _currency_misfits(self) -> Iterator[str]:
        for ticker, asset in self.universe.items():
            if asset.currency not in (None, self.currency):
                yield (
                    f"universe.{ticker}.currency: {show(asset.currency)}: expected {self.currency}, the study's "
                    "currency; other currencies are not supported yet"
                )

    def _ticker_misfits(self) -> Iterator[str]:
        # Without regard to case: a ticker names a folder, and some disks do not tell them apart.
        assets = {ticker.lower(): ticker for ticker in self.universe}
        for candidate in self.candidates:
            if candidate not in self.universe:
                yield f"candidates: {show(candidate)}: expected tickers of the universe, of weight 0 or any other"
        if len(set(self.candidates)) < len(self.candidates):
            yield f"candidates: {show(self.candidates)}: expected every ticker once"
        if self.candidates and all(strategy.cash_high is None for strategy in self.strategies.values()):
            yield f"candidates: {show(self.candidates)}: expected none, since no strategy has a cash_high to deploy"
        benchmark = self.benchmark.lower()
        if (asset := assets.get(benchmark, self.benchmark)) != self.benchmark:
            yield f"benchmark: {show(self.benchmark)}: expected {asset}, as the universe writes it"
        if (rate := (self.rate_ticker or "").lower()) in (*assets, benchmark):
            owner = "an asset of the universe" if rate in assets else "the benchmark"
            yield f"risk_free: {show(self.risk_free)}: expected a rate, but it is {owner}"

    @property
    def tickers(self) -> tuple[str, ...]:
        """The universe's tickers, in the study's order."""
        return tuple(self.universe)

    @property
    def price_tickers(self) -> tuple[str, ...]:
        """Every ticker whose prices are needed: the universe, then the benchmark where it is another one."""
        extra = () if self.benchmark == "universe" or self.benchmark in self.universe else (self.benchmark,)
        return self.tickers + extra

    @property
    def rate_ticker(self) -> str | None:
        """The ticker of the risk-free rate, or None where the study gives a number."""
        return self.risk_free if isinstance(self.risk_free, str) else None

    @property
    def fetched_tickers(self) -> tuple[str, ...]:
        """Every ticker that a source is asked for: those of prices, then that of the rate where there is one."""
        return self.price_tickers + (() if self.rate_ticker is None else (self.rate_ticker,))

    @property
    def reserve_levels(self) -> tuple[float, ...]:
        """The reserve levels, ascending."""
        return tuple(sorted(self.reserves))

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Every strategy at every reserve, strategies in the study's order, reserves ascending."""
        levels = self.reserve_levels
        return tuple(Scenario(strategy=name, reserve=reserve) for name in self.strategies for reserve in levels)

    def sweep_of(self, strategy: str) -> str | None:
        """Return the name of the sweep that a strategy was written in, or None where it stands by itself."""
        return self._sweeps.get(strategy)

    def withdrawals_of(self, strategy: str) -> Withdrawals | None:
        """Return the withdrawals that a strategy is to pay: its own, or the study's.

        A rule that never trades has no proceeds and no opinion: it sells of everything alike what the study's
        withdrawals take.
        """
        rules = self.strategies[strategy]
        if rules.withdrawals is None and self.withdrawals is not None and rules.is_passive:
            return self.withdrawals.model_copy(update={"coverage": 0.0, "shortfall": "pro_rata"})
        return rules.withdrawals or self.withdrawals

    def costs_of(self, strategy: str) -> Costs:
        """Return the costs that a strategy pays: its own, or the study's."""
        return self.strategies[strategy].costs or self.costs


def load_study(path: Path) -> Study:
    """Read and validate a study file.

    Raises:
        InputError: the file cannot be read, is not YAML, or breaks a rule; the message names the file and, one line
            per finding, the field, the value and what was expected. Rules that concern several fields are looked at
            once every field by itself is good.
    """
    try:
        written = spread(read_mapping(path), _STRATEGY_KEYS)
    except MisfitError as error:
        raise _refusal(path, str(error).splitlines()) from None
    try:
        study = Study.model_validate(written.document)
    except ValidationError as error:
        raise _refusal(path, findings(error, _keys_at, written.as_written)) from None
    study._sweeps = {name: origin.sweep for name, origin in written.origins.items()}
    # Where the study lies is known only here; from now on its paths are absolute.
    changes: dict[str, object] = {}
    if study.source.folder is not None:
        folder = _existing(path, "source.folder", study.source.folder, "folder", Path.is_dir)
        changes["source"] = study.source.model_copy(update={"folder": folder})
    if study.price_index is not None:
        changes["price_index"] = _existing(path, "price_index", study.price_index, "file", Path.is_file)
    return study.model_copy(update=changes)


def _refusal(path: Path, lines: Sequence[str]) -> InputError:
    shown = [f"{path}: {line}" for line in lines[:MOST_FINDINGS]]
    if len(lines) > MOST_FINDINGS:
        shown.append(f"{path}: {len(lines) - MOST_FINDINGS:,} more findings of this kind: expected none")
    return InputError("\n".join(shown))


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
        yield from _keys_of(inner, (*path, name)) if inner else [(*path, name)]


_STRATEGY_KEYS = frozenset(_keys_of(Strategy))

_PARTS: dict[str, type[BaseModel]] = {
    "source": Source,
    "costs": Costs,
    "margin": Margin,
    "deposits": Deposits,
    "withdrawals": Withdrawals,
    "taxes": Taxes,
    "rebalance": Rebalance,
    "band": Band,
    "deviation": Band,
    "volatility": VolatilityLevel,
    "cost_aware": CostAware,
    "bootstrap": Bootstrap,
}


def _keys_at(location: Location) -> tuple[str, ...]:
    """Return the keys that a part of a study may have."""
    match location:
        case ("universe", _):
            model: type[BaseModel] = Asset
        case ("strategies", _):
            model = Strategy
        case (*_, str(part)) if part in _PARTS:
            model = _PARTS[part]
        case _:
            model = Study
    return tuple(model.model_fields)
