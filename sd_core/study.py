"""The validated study: what is to be simulated, on which prices, and with which rules.

A study is read once, here, and trusted everywhere else: ``load_study`` turns a YAML file into a frozen :class:`Study`
or refuses it with every finding at once. How a study's rules act on prices belongs in ``simulation``; where its prices
come from belongs in ``market``.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sd_core.errors import InputError

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=-]{0,19}")
CALENDAR = re.compile(r"[A-Z0-9]{3,8}")

DEFAULT_SD_N = 8.0
DEFAULT_PROFIT_SHARE = 0.5

# Keys that the domain knows and this version does not simulate: they deserve a better answer than "unknown key".
NOT_SUPPORTED_YET = frozenset({"margin", "withdrawals", "deposits"})


def _matches(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"expected {what} of the form {pattern.pattern}")
        return value

    return AfterValidator(check)


def _calendar_date(value: object) -> object:
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date | str):
        raise ValueError("expected a date such as 2015-01-01")
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a date such as 2015-01-01") from None
    return value


Name = Annotated[str, _matches(NAME, "a name")]
Ticker = Annotated[str, _matches(TICKER, "a ticker")]
CalendarDate = Annotated[dt.date, BeforeValidator(_calendar_date)]
Fraction = Annotated[float, Field(ge=0, le=1)]
SdN = Annotated[float, Field(ge=1)]
Bracket = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    """A part of a study: frozen, without unknown keys, and without silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Source(_Part):
    """Where prices come from."""

    kind: Literal["yahoo", "csv", "sample"]
    folder: str | None = Field(None, description="Folder of the CSV files; relative to the study's own folder.")

    @model_validator(mode="after")
    def _folder_belongs_to_csv(self) -> Self:
        if (self.kind == "csv") != (self.folder is not None):
            raise ValueError("expected a folder for the kind csv, and for no other kind")
        return self


class Costs(_Part):
    """What a trade costs: ``fixed + bps / 10 000 × quantity × price``."""

    bps: float = Field(0.0, ge=0, description="Proportional fee in basis points of the traded value.")
    fixed: float = Field(0.0, ge=0, description="Fixed fee per trade, in the study's currency.")


class _Rung(_Part):
    """How far apart an asset's rungs stand, and which share of the gain is traded at each."""

    sd_n: SdN | None = Field(None, description="Equal logarithmic steps per doubling of the price.")
    bracket: Bracket | None = Field(None, description="Distance of the next higher rung, as a fraction of the price.")
    profit_share: Fraction | None = Field(None, description="Share of a rung's gain that is traded.")

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        if self.sd_n is not None and self.bracket is not None:
            raise ValueError("expected sd_n or bracket, not both")
        return self

    @property
    def spacing(self) -> float | None:
        """The bracket r = 2 ** (1 / sd_n) - 1, or the bracket as given; None where neither is set."""
        return 2.0 ** (1.0 / self.sd_n) - 1.0 if self.sd_n is not None else self.bracket


class Asset(_Rung):
    """One asset of the universe, with what it overrides of a strategy."""

    weight: float = Field(ge=0, description="Target weight; the universe's weights are scaled to sum to 1.")
    asset_class: str = Field("unclassified", min_length=1)
    lot_size: float = Field(0.0, ge=0, description="Smallest tradable quantity in shares; 0 means fractional.")
    currency: str | None = Field(None, description="Quote currency where it is not the study's.")


class Strategy(_Rung):
    """The rules of one strategy. ``docs/simulation.md`` says what each key does."""

    variant: Literal["full", "ath_only", "buy_and_hold"] = "full"
    sizing: Literal["gain_share", "symmetric"] = "gain_share"
    coordination: Literal["simple", "nav_opportunistic"] = "simple"
    path: Literal["nearest", "low_first", "high_first", "close_only"] = "nearest"
    anchor: Literal["ladder", "fill"] = "ladder"
    max_rungs: int = Field(64, ge=1, description="Most rungs that an asset fills or passes per side and leg.")
    lot_order: Literal["lifo"] = "lifo"
    costs: Costs | None = Field(None, description="Costs of this strategy where they are not the study's.")

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


def _check_reserve(reserve: float) -> float:
    if abs(reserve * 10_000 - round(reserve * 10_000)) > 1e-6:
        raise ValueError("expected at most two decimals of a percent, such as 0.025 or 0.1225")
    return reserve


class Study(_Part):
    """Everything that one study asks for. Made by :func:`load_study`; immutable."""

    name: Name
    source: Source
    start: CalendarDate
    end: CalendarDate | None = None
    sessions: Annotated[str, _matches(CALENDAR, "an exchange's calendar")] | Literal["intersection", "union"] = "XNYS"
    capital: float = Field(gt=0)
    currency: Annotated[str, _matches(re.compile("[A-Z]{3}"), "a currency")] = "USD"
    benchmark: Ticker = "universe"
    risk_free: Ticker | Annotated[float, Field(gt=-1, lt=1)] = 0.0
    universe: dict[Ticker, Asset] = Field(min_length=1)
    reserves: list[Annotated[float, Field(ge=0, lt=1), AfterValidator(_check_reserve)]] = Field(min_length=1)
    costs: Costs = Field(default_factory=lambda: Costs(bps=0, fixed=0))
    strategies: dict[Name, Strategy] = Field(min_length=1)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        findings = [*self._universe_findings(), *self._grid_findings()]
        if self.end is not None and self.end < self.start:
            findings.append(f"end: {self.end}: expected a date on or after start, {self.start}")
        if findings:
            raise ValueError("\n".join(findings))
        return self

    def _universe_findings(self) -> Iterator[str]:
        if all(asset.weight == 0 for asset in self.universe.values()):
            yield "universe: every weight is 0: expected at least one above 0"
        seen: dict[str, str] = {}
        for ticker, asset in self.universe.items():
            if (twin := seen.setdefault(ticker.lower(), ticker)) != ticker:
                yield f"universe.{ticker}: expected tickers that differ by more than case, but {twin} is there too"
            if asset.currency not in (None, self.currency):
                yield (
                    f"universe.{ticker}.currency: {asset.currency}: expected {self.currency}, the study's currency; "
                    "other currencies are not supported yet"
                )
        if self.risk_free in self.universe:
            yield f"risk_free: {self.risk_free}: expected a rate, but it is an asset of the universe"

    def _grid_findings(self) -> Iterator[str]:
        keys = [reserve_key(reserve) for reserve in self.reserves]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            yield f"reserves: {key[1:].replace('_', '.')} % stands there more than once: expected distinct levels"

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
    def reserve_levels(self) -> tuple[float, ...]:
        """The reserve levels, ascending."""
        return tuple(sorted(self.reserves))

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Every strategy at every reserve, strategies in the study's order, reserves ascending."""
        return tuple(
            Scenario(strategy=name, reserve=reserve) for name in self.strategies for reserve in self.reserve_levels
        )

    def costs_of(self, strategy: str) -> Costs:
        """Return the costs that a strategy pays: its own, or the study's."""
        return self.strategies[strategy].costs or self.costs


def load_study(path: Path) -> Study:
    """Read and validate a study file.

    Raises:
        InputError: the file cannot be read, is not YAML, or breaks a rule; the message names the file and, one line
            per finding, the field, the value and what was expected.
    """
    document = _read_mapping(path)
    try:
        study = Study.model_validate(document)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {finding}" for finding in _findings(error))) from None
    if study.source.folder is not None:
        # Where the study lies is known only here; from now on the folder is absolute.
        folder = (path.parent / Path(study.source.folder).expanduser()).resolve()
        if not folder.is_dir():
            raise InputError(
                f"{path}: source.folder: {study.source.folder!r}: expected a folder, but {folder} is not one "
                "(a relative folder starts where the study file lies)"
            )
        study = study.model_copy(update={"source": study.source.model_copy(update={"folder": str(folder)})})
    if study.sessions not in ("XNYS", "intersection", "union"):
        import exchange_calendars  # half a second that the usual study does not need

        if study.sessions not in exchange_calendars.get_calendar_names():
            raise InputError(
                f"{path}: sessions: {study.sessions!r}: expected intersection, union, or an exchange's calendar "
                "such as XNYS"
            )
    return study


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected YAML in UTF-8, but byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: expected a readable study file, but: {error.strerror}") from None
    try:
        # YAML 1.2: a ticker such as ON or NO stays a word.
        document = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{path}: line {line}: {error.problem}: expected every key once") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{path}: line {line}: expected YAML, but {error.problem or error.context}") from None
    except (YAMLError, ValueError) as error:
        raise InputError(f"{path}: expected YAML, but {str(error).splitlines()[0]}") from None
    if document is None:
        raise InputError(f"{path}: the file is empty: expected a study, for example studies/demo.yaml")
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected keys and values, but it holds a {type(document).__name__}")
    return document


def _findings(error: ValidationError) -> Iterator[str]:
    """Word pydantic's findings as ``field: value: expected …``."""
    for entry in error.errors(include_url=False):
        place = ".".join(str(part) for part in entry["loc"] if part not in _UNION_BRANCHES)
        match entry["type"]:
            case "extra_forbidden" if entry["loc"][-1] in NOT_SUPPORTED_YET:
                yield f"{place}: not supported by this version: expected a study without it"
            case "extra_forbidden":
                yield f"{place}: unknown key: {_known_keys(entry['loc'])}"
            case "missing":
                yield f"{place}: missing: expected a value"
            case "value_error":
                message = str(entry["ctx"]["error"])
                # Findings that already carry their place are those of the study as a whole.
                yield from (message.splitlines() if not place else [f"{place}: {_short(entry['input'])}: {message}"])
            case _:
                yield f"{place}: {_short(entry['input'])}: {_expectation(entry['msg'])}"


# Pydantic names the branches of a union in the location; they mean nothing to the person who wrote the file.
_UNION_BRANCHES = frozenset(
    {"[key]", "constrained-str", "constrained-float", "float", "str", "literal['intersection','union']"}
)


def _known_keys(location: tuple[str | int, ...]) -> str:
    model: type[BaseModel] = Study
    match location[:-1]:
        case ("universe", _):
            model = Asset
        case ("strategies", _):
            model = Strategy
        case ("source",):
            model = Source
        case (*_, "costs"):
            model = Costs
    return "expected one of " + ", ".join(model.model_fields)


def _expectation(message: str) -> str:
    return message.replace("Input should be", "expected").replace("Input should have", "expected")


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, dt.date) else value.isoformat()
    return text if len(text) <= 60 else text[:57] + "..."
