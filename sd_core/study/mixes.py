"""Mixes: how target weights are decided from past prices, each checked by itself.

How weights are computed belongs in ``construction``, which this room does not know.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sd_core.study.fields import NAME, AssetClass, CalendarDate, Fraction, Name, Ticker
from sd_core.study.findings import MisfitError, readable, show
from sd_core.study.parts import Every, Part
from sd_core.wording import did_you_mean

Method = Literal[
    "equal",
    "inverse_volatility",
    "mean_risk",
    "risk_budget",
    "max_diversification",
    "hrp",
    "herc",
    "nco",
    "kelly",
    "proportional",
    "regime",
    "blend",
]
Risk = Literal[
    "variance",
    "semi_variance",
    "mean_absolute_deviation",
    "cvar",
    "evar",
    "cdar",
    "average_drawdown",
    "ulcer_index",
    "worst_realization",
]
Objective = Literal["min_risk", "max_ratio", "max_utility"]
Expected = Literal["shrunk", "sample", "equilibrium", "black_litterman", "boosted"]
Covariance = Literal["ledoit_wolf", "sample", "oas", "ewma", "gerber", "denoised"]

DEFAULT_WINDOW = 504
DEFAULT_LEVEL = 0.95
DEFAULT_RISK_AVERSION = 2.5
DEFAULT_CONFIRM = 5
# What answers where a mix cannot: its own last weights, or as much of every asset that may be held.
PREVIOUS, EQUAL = "previous", "equal"
# Risks of which only the worst part of the returns or drawdowns counts, from a level on.
WITH_LEVEL = ("cvar", "evar", "cdar")
# What is solved for an optimum, under whatever linear limits; skfolio's hierarchical methods know none of these.
OPTIMISED = ("mean_risk", "risk_budget", "max_diversification", "kelly")
LIMITS = ("groups", "max_turnover", "scores")
# Methods that combine what other mixes have decided, and fit nothing; and what such a mix may have.
COMPOSITES = ("regime", "blend")
OF_COMPOSITES = ("method", "every", "of", "volatility_target", "defence")
# What a regime of the market is called; a session before the first one has none.
REGIMES = ("bull", "sideways", "bear", "high_volatility")
OTHERWISE = "otherwise"
# The score that needs no signal: the Sharpe ratio, shrunk towards the mean of all assets.
SHARPE = "sharpe"
# The signal of boosted trees.
BOOSTED = "boosted"


def _limits(limits: list[float]) -> list[float]:
    if len(limits) != 2 or not 0 <= limits[0] <= limits[1] <= 1:
        raise ValueError("expected the lowest and the highest weight, from 0 to 1, such as [0, 0.4]")
    return limits


Limits = Annotated[list[float], AfterValidator(_limits)]
Shares = dict[Ticker, Annotated[float, Field(gt=0)]]


class View(Part):
    """An opinion: what some assets will return a year more than others, or than cash."""

    long: Annotated[Shares, Field(min_length=1)]
    short: Shares = Field({})
    excess: float = Field(gt=-1, lt=1, description="Return a year of long less that of short, or than cash.")
    confidence: float = Field(gt=0, le=1, description="From 0, none, to 1, certain.")
    since: CalendarDate = Field(alias="from", description="First date on which it was held.")

    @model_validator(mode="after")
    def _on_one_side(self) -> Self:
        if both := [ticker for ticker in self.long if ticker in self.short]:
            raise MisfitError([f"short: {show(both[0])}: expected another ticker, since it is long too"])
        return self

    @property
    def tickers(self) -> tuple[str, ...]:
        """Every ticker that it is about."""
        return (*self.long, *self.short)


class Scores(Part):
    """Scores of assets by date, of which a mix must reach a mean."""

    file: str = Field(min_length=1, description="CSV file with the columns Date, Ticker and Score.")
    min: float = Field(description="Lowest mean score, by weight.")


class SignalReturn(Part):
    """Expected returns that follow a signal of the study."""

    signal: Name


class ScoreBudget(Part):
    """Shares of risk of which half follow a score."""

    score: Name


class Select(Part):
    """Which assets may be held: the best by a signal."""

    signal: Name
    top: int = Field(ge=1, le=10_000, description="How many.")


class Defence(Part):
    """How much is held while the benchmark is likely to be in its state of higher variance."""

    on: Fraction = Field(0.8, description="Probability above which it begins.")
    off: Fraction = Field(0.5, description="Probability below which it ends.")
    invested: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="Share of the weights that is held then.")

    @model_validator(mode="after")
    def _ends_below_where_it_begins(self) -> Self:
        if self.off > self.on:
            raise MisfitError([f"off: {self.off}: expected at most on, {self.on}"])
        return self


def _expected(value: object) -> object:
    words = get_args(Expected)
    if isinstance(value, SignalReturn) or (isinstance(value, str) and value in words):
        return value
    if isinstance(value, Mapping) and list(value) == ["signal"] and _is_name(value["signal"]):
        return SignalReturn(signal=value["signal"])
    meant = did_you_mean(value, words) if isinstance(value, str) else ""
    raise ValueError(f"expected {', '.join(words)}, or a signal: {{signal: NAME}}{meant}")


def _budget(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    if list(value) == ["score"] and _is_name(value["score"]):
        return ScoreBudget(score=value["score"])
    if misfits := [
        f"{readable(key)}: {show(share)}: expected a number above 0"
        for key, share in value.items()
        if isinstance(share, bool) or not isinstance(share, int | float) or not share > 0
    ]:
        raise MisfitError(misfits)
    return {key: float(share) for key, share in value.items()}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


class Mix(Part):
    """How target weights are decided at the last session of each period. ``docs/mixes.md`` says what each key does."""

    method: Method = "equal"
    window: int | None = Field(None, ge=20, le=10_000, description="Sessions whose returns count.")
    expanding: bool = Field(False, description="Whether all past returns count instead of a window.")
    every: Every = "month"
    objective: Objective | None = None
    risk: Risk | None = None
    level: float | None = Field(None, ge=0.5, lt=1, description="Share of what is not the worst.")
    risk_aversion: float | None = Field(None, gt=0, description="Return that a unit of risk must earn.")
    expected: Annotated[Expected | SignalReturn | None, BeforeValidator(_expected)] = None
    views: list[View] = Field([])
    covariance: Covariance | None = None
    budget: Annotated[dict[str, float] | ScoreBudget | None, BeforeValidator(_budget)] = Field(
        None, description="Shares of risk by ticker or asset class, or a score that they follow."
    )
    score: Name | None = Field(None, description="Signal that weights are proportional to, or sharpe.")
    of: dict[Name, object] | None = Field(
        None, min_length=1, description="Mixes by regime of the market, or shares by mix of a blend."
    )
    otherwise: Name | None = Field(None, description="Mix in regimes that are not named, and where none is known.")
    confirm: int | None = Field(None, ge=1, le=252, description="Sessions in a row on which a mix must be called for.")
    select: Select | None = None
    volatility_target: float | None = Field(None, gt=0, le=1, description="Most expected volatility a year.")
    defence: Defence | None = None
    fraction: float | None = Field(None, gt=0, le=1, description="Share of Kelly's weights that is held.")
    min_weight: Fraction | None = None
    max_weight: Annotated[float, Field(gt=0, le=1)] | None = None
    weights: dict[Ticker, Limits] | None = Field(None, min_length=1)
    groups: dict[AssetClass, Limits] | None = Field(None, min_length=1)
    max_turnover: Annotated[float, Field(gt=0, le=1)] | None = None
    cost_aware: bool = False
    scores: Scores | None = None
    fallback: list[Name] = Field([PREVIOUS, EQUAL], min_length=1)
    until_fitted: Literal["universe", "equal"] = "universe"

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        found = (
            [*self._keys_of_fits(), *self._part_misfits()]
            if self.is_composite
            else [*self._idle_keys(), *self._limit_misfits(), *self._cost_misfits(), *self._other_misfits()]
        )
        if found:
            raise MisfitError(found)
        return self

    def _keys_of_fits(self) -> Iterator[str]:
        """Name keys of a mix that fits nothing."""
        allowed = {*OF_COMPOSITES, *(("window",) if self.volatility_target is not None else ())}
        if self.method == "regime":
            allowed |= {"otherwise", "confirm"}
        for key in type(self).model_fields:
            if key in self.model_fields_set and key not in allowed:
                yield f"{key}: {_written(getattr(self, key))}: expected none, since {self.method} combines other mixes"

    def _part_misfits(self) -> Iterator[str]:
        if self.of is None:
            named = "mixes by regime" if self.method == "regime" else "shares by mix"
            yield f"of: missing: expected {named}"
        for key, value in (self.of or {}).items():
            if self.method == "regime":
                if key not in REGIMES:
                    yield f"of: {show(key)}: expected a regime: {', '.join(REGIMES)}{did_you_mean(key, REGIMES)}"
                if not _is_name(value):
                    yield f"of.{key}: {show(value)}: expected the name of a mix"
            elif isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                yield f"of.{key}: {show(value)}: expected a number above 0"
        if self.method == "regime" and self.otherwise is None:
            yield "otherwise: missing: expected a mix for sessions without a regime, and for regimes that are not named"

    def _idle_keys(self) -> Iterator[str]:
        """Name keys that could do nothing: they would mislead the reader of the study."""
        used = {
            "objective": (self.method == "mean_risk", "expected none, since only mean_risk has one"),
            "risk": (
                self.method in ("mean_risk", "risk_budget", "hrp", "herc", "nco"),
                f"expected none, since {self.method} does not choose its measure of risk",
            ),
            "level": (
                self.risk in WITH_LEVEL and self.method not in ("hrp", "herc"),
                f"expected none, since it is one of {', '.join(WITH_LEVEL)} and not of a hierarchical method",
            ),
            "risk_aversion": (
                self.objective == "max_utility" or self.is_equilibrium,
                "expected none without the objective max_utility or expected returns of an equilibrium",
            ),
            "expected": (self.uses_expected, "expected none, since expected returns change nothing here"),
            "covariance": (self.uses_covariance, "expected none, since a covariance changes nothing here"),
            "budget": (self.method == "risk_budget", "expected none, since only risk_budget has one"),
            "fraction": (self.method == "kelly", "expected none, since only kelly has one"),
            "score": (self.method == "proportional", "expected none, since only proportional has one"),
            "of": (False, f"expected none, since {self.method} combines no other mixes"),
            "otherwise": (False, "expected none, since only regime has one"),
            "confirm": (False, "expected none, since only regime has one"),
        }
        for key, (does_something, why) in used.items():
            if getattr(self, key) is not None and not does_something:
                yield f"{key}: {_written(getattr(self, key))}: {why}"

    def _limit_misfits(self) -> Iterator[str]:
        for key in LIMITS:
            if getattr(self, key) is not None and self.method not in OPTIMISED:
                yield f"{key}: {_written(getattr(self, key))}: expected none, since {self.method} knows no such limit"
        bounds = ("min_weight", "max_weight", "weights")
        without = {
            "equal": bounds,
            "inverse_volatility": bounds,
            "proportional": bounds,
            "nco": bounds,
            "herc": ("max_weight", "weights"),  # skfolio's weights of HERC exceed their upper bounds
        }
        for key in without.get(self.method, ()):
            if getattr(self, key) is not None:
                yield f"{key}: {show(getattr(self, key))}: expected none, since {self.method} cannot keep to it"
        if self.min_weight is not None and self.max_weight is not None and self.min_weight > self.max_weight:
            yield f"min_weight: {self.min_weight}: expected at most max_weight, {self.max_weight}"

    def _cost_misfits(self) -> Iterator[str]:
        if self.cost_aware and self.method not in ("mean_risk", "kelly"):
            yield f"cost_aware: true: expected false, since the objective of {self.method} has no place for costs"

    def _other_misfits(self) -> Iterator[str]:
        if self.expanding and self.window is not None:
            yield f"window: {self.window}: expected a window or expanding, not both"
        if self.expected == "black_litterman" and not self.views:
            yield "views: missing: expected at least one view beside black_litterman"
        if self.views and self.expected != "black_litterman":
            yield f"views: {len(self.views)}: expected none without the expected returns black_litterman"
        if len(set(self.fallback)) < len(self.fallback):
            yield f"fallback: {show(self.fallback)}: expected every entry once"

    @property
    def is_composite(self) -> bool:
        """Whether it combines what other mixes have decided, and fits nothing."""
        return self.method in COMPOSITES

    @property
    def asks_of_market(self) -> bool:
        """Whether it looks at the regime of the market, or at the state of its variance."""
        return self.method == "regime" or self.defence is not None

    @property
    def is_solved(self) -> bool:
        """Whether its weights take a solver, or as long: those of the others are a formula."""
        return self.method in (*OPTIMISED, "hrp", "herc", "nco")

    @property
    def shares(self) -> dict[str, float]:
        """The share of each mix of a blend, by name; they sum to 1."""
        given = {name: float(share) for name, share in (self.of or {}).items() if isinstance(share, int | float)}
        return {name: share / sum(given.values()) for name, share in given.items()}

    def followed(self, regime: str | None) -> str:
        """Return the mix that a regime of the market calls for; None is a session without a regime."""
        named = (self.of or {}).get(regime or "", self.otherwise)
        assert isinstance(named, str)
        return named

    @property
    def parts(self) -> tuple[str, ...]:
        """The mixes that it combines, each once."""
        if self.method == "blend":
            return tuple(self.of or ())
        names = [*(self.of or {}).values(), self.otherwise]
        return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))

    @property
    def signals_named(self) -> tuple[tuple[str, str], ...]:
        """Every signal of the study that it reads, with the key that names it."""
        found = {
            "expected.signal": self.expected.signal if isinstance(self.expected, SignalReturn) else None,
            "budget.score": self.budget.score if isinstance(self.budget, ScoreBudget) else None,
            "score": self.score,
            "select.signal": self.select.signal if self.select else None,
        }
        return tuple(
            (key, name) for key, name in found.items() if name and not (key.endswith("score") and name == SHARPE)
        )

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal that it reads, each once, that of boosted trees among them."""
        boosted = (BOOSTED,) if self.expected == BOOSTED else ()
        return tuple(dict.fromkeys((*(name for _, name in self.signals_named), *boosted)))

    @property
    def is_equilibrium(self) -> bool:
        """Whether expected returns begin as those at which the study's weights are right."""
        return self.uses_expected and self.expected in ("equilibrium", "black_litterman")

    @property
    def uses_expected(self) -> bool:
        """Whether expected returns change the weights."""
        return self.method == "kelly" or self.objective_or_default in ("max_ratio", "max_utility")

    @property
    def uses_covariance(self) -> bool:
        """Whether a covariance changes the weights."""
        of_risk = self.method in ("inverse_volatility", "max_diversification") or (
            self.method in ("mean_risk", "risk_budget", "hrp", "herc", "nco") and self.risk_or_default == "variance"
        )
        return of_risk or (self.uses_expected and self.expected_or_default not in ("sample", BOOSTED))

    @property
    def window_or_default(self) -> int:
        """Sessions whose returns the first fit sees, and every fit where the window does not expand."""
        return self.window or DEFAULT_WINDOW

    @property
    def objective_or_default(self) -> Objective | None:
        """What is optimised; None where the method has one of its own."""
        return (self.objective or "min_risk") if self.method == "mean_risk" else None

    @property
    def risk_or_default(self) -> Risk:
        """The measure of risk."""
        return self.risk or "variance"

    @property
    def level_or_default(self) -> float:
        """From which quantile on returns or drawdowns are the worst."""
        return self.level or DEFAULT_LEVEL

    @property
    def aversion_or_default(self) -> float:
        """The return that a unit of risk must earn."""
        return self.risk_aversion or DEFAULT_RISK_AVERSION

    @property
    def expected_or_default(self) -> Expected | SignalReturn:
        """How expected returns are estimated."""
        return self.expected or "shrunk"

    @property
    def covariance_or_default(self) -> Covariance:
        """How the covariance is estimated."""
        return self.covariance or "ledoit_wolf"

    @property
    def fraction_or_default(self) -> float:
        """The share of Kelly's weights that is held."""
        return 1.0 if self.fraction is None else self.fraction

    @property
    def score_or_default(self) -> str:
        """What weights are proportional to."""
        return self.score or SHARPE

    @property
    def confirm_or_default(self) -> int:
        """On how many sessions in a row a mix must be called for before it is followed."""
        return self.confirm or DEFAULT_CONFIRM

    @property
    def other_mixes(self) -> tuple[str, ...]:
        """The mixes that may answer in its place."""
        return tuple(name for name in self.fallback if name not in (PREVIOUS, EQUAL))

    @property
    def tickers_named(self) -> Iterator[tuple[str, str]]:
        """Every ticker that it names, with its place in it."""
        yield from (("weights", ticker) for ticker in self.weights or ())
        for number, view in enumerate(self.views, start=1):
            yield from ((f"views: entry {number}", ticker) for ticker in view.tickers)


def _written(value: object) -> str:
    return show(value.model_dump() if isinstance(value, Part) else value)


def with_parts(mixes: Mapping[str, Mix], name: str) -> tuple[str, ...]:
    """Return a mix, the mixes that may answer for it, and those that it combines with theirs, each once."""
    found = [name, *mixes[name].other_mixes] if not mixes[name].is_composite else [name]
    for part in mixes[name].parts:
        found += with_parts(mixes, part)
    return tuple(dict.fromkeys(found))


def mix_misfits(
    mixes: dict[str, Mix], assets: dict[str, str], signals: Collection[str], *, has_costs: bool
) -> Iterator[str]:
    """Name what is wrong between the mixes of a study and the rest of it.

    Args:
        mixes: by name.
        assets: asset class of each ticker of the universe.
        signals: names of the study's signals.
        has_costs: whether trades of the study cost basis points.
    """
    for name, mix in mixes.items():
        if name == PREVIOUS:
            yield f"mixes.{name}: expected another name, since a fallback calls a mix's last weights so"
        found = [
            *_name_misfits(mix, assets),
            *_signal_misfits(mix, signals),
            *_sum_misfits(mix, len(assets)),
            *(_composite_misfits(name, mix, mixes) if mix.is_composite else _fallback_misfits(name, mix, mixes)),
        ]
        if mix.cost_aware and not has_costs:
            found.append("cost_aware: true: expected costs of the study in basis points (costs.bps); there are none")
        yield from (f"mixes.{name}.{misfit}" for misfit in found)


def _name_misfits(mix: Mix, assets: dict[str, str]) -> Iterator[str]:
    classes = list(dict.fromkeys(assets.values()))
    for place, ticker in mix.tickers_named:
        if ticker not in assets:
            yield f"{place}: {show(ticker)}: expected a ticker of the universe"
    for group in mix.groups or ():
        if group not in classes:
            yield f"groups: {show(group)}: expected an asset class of the universe: {', '.join(classes)}"
    if isinstance(mix.budget, dict):
        for place in mix.budget:
            if place not in assets and place not in classes:
                yield f"budget: {show(place)}: expected a ticker or an asset class of the universe"
        if without := [ticker for ticker, of in assets.items() if not {ticker, of} & set(mix.budget)]:
            yield f"budget: {without[0]}: missing: expected a share of risk for every asset, by ticker or class"


def _sum_misfits(mix: Mix, assets: int) -> Iterator[str]:
    """Name bounds that no weights could keep, whatever the prices."""
    if mix.method != "kelly" and mix.max_weight is not None and mix.weights is None and mix.max_weight * assets < 1:
        yield f"max_weight: {mix.max_weight}: expected at least {1 / assets:.4g}, as {assets} assets make up the whole"
    lowest = sum(limits[0] for limits in (mix.weights or {}).values())
    lowest += (mix.min_weight or 0.0) * (assets - len(mix.weights or {}))
    if lowest > 1 + 1e-9:
        key = "min_weight" if mix.min_weight else "weights"
        yield f"{key}: {show(getattr(mix, key))}: expected lowest weights that sum to at most 1, was {lowest:.4g}"


def _signal_misfits(mix: Mix, signals: Collection[str]) -> Iterator[str]:
    for place, signal in mix.signals_named:
        if signal not in signals:
            meant = did_you_mean(signal, signals)
            score = f", or {SHARPE}" if place.endswith("score") else ""
            yield f"{place}: {show(signal)}: expected a signal of the study{score}{meant}"
    if mix.expected == BOOSTED and not signals:
        yield "expected: 'boosted': expected signals of the study to learn from; there are none"


def _composite_misfits(name: str, mix: Mix, mixes: dict[str, Mix]) -> Iterator[str]:
    for part in mix.parts:
        if part not in mixes:
            yield f"of: {show(part)}: expected another mix of the study{did_you_mean(part, mixes)}"
        elif mixes[part].every != mix.every:
            yield f"of: {show(part)}: expected a mix that decides every {mix.every} too"
        elif _combines(mixes, part, name, frozenset()):
            yield f"of: {show(part)}: expected a mix that does not combine {name} itself"


def _combines(mixes: dict[str, Mix], part: str, name: str, seen: frozenset[str]) -> bool:
    """Return whether a mix is another one, or combines it at whatever depth."""
    if part == name or part in seen or part not in mixes:
        return part == name
    return any(_combines(mixes, other, name, seen | {part}) for other in mixes[part].parts)


def _fallback_misfits(name: str, mix: Mix, mixes: dict[str, Mix]) -> Iterator[str]:
    known: Sequence[str] = [PREVIOUS, EQUAL, *(other for other in mixes if other != name)]
    for entry in mix.fallback:
        if entry not in known:
            yield f"fallback: {show(entry)}: expected {PREVIOUS}, {EQUAL} or another mix of the study"
        elif entry in (PREVIOUS, EQUAL):
            continue
        elif mixes[entry].is_composite:
            yield f"fallback: {show(entry)}: expected a mix that fits weights; {mixes[entry].method} combines others"
        elif mixes[entry].every != mix.every:
            yield f"fallback: {show(entry)}: expected a mix that decides every {mix.every} too"
