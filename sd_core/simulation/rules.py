"""The rules of one scenario, resolved: every default filled in, every override applied, one number per asset.

Both engines read these; neither looks at a study. Validation happened in ``study``.
"""

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, NamedTuple, Self

import numpy as np

from sd_core.errors import NotReadyError
from sd_core.market.arrays import Floats
from sd_core.simulation.targets import Targets
from sd_core.study.model import Study
from sd_core.study.parts import Bands, Deposits, Harvest, Rebalance, Taxes, Withdrawals
from sd_core.study.scenario import Scenario
from sd_core.study.strategy import Rule, Strategy


class Variant(IntEnum):
    """Which trades the rule makes; ``NO_RULE`` is a strategy without the rule."""

    FULL = 0
    ATH_ONLY = 1
    NO_RULE = 2
    ATH_SELL = 3


class Sizing(IntEnum):
    """How much a sale sells."""

    GAIN_SHARE = 0
    SYMMETRIC = 1


class Order(IntEnum):
    """In which order assets trade on a leg."""

    UNIVERSE = 0
    NAV_OPPORTUNISTIC = 1


class Width(IntEnum):
    """What the width of a band is measured in: weight, or shares of the target weight."""

    ABSOLUTE = 0
    RELATIVE = 1


class TaxRates(NamedTuple):
    """Rates of tax, fractions, of gains by their term and of income."""

    short_term: float
    long_term: float
    dividends: float
    interest: float

    @classmethod
    def of(cls, taxes: Taxes) -> Self:
        """Return those of a study."""
        return cls(taxes.short_term, taxes.long_term, taxes.dividends_or_default, taxes.interest_or_default)


class Path(IntEnum):
    """Assumed order of the prices within a bar."""

    NEAREST = 0
    LOW_FIRST = 1
    HIGH_FIRST = 2
    CLOSE_ONLY = 3


class Anchor(IntEnum):
    """Where the anchor lies after a fill."""

    LADDER = 0
    FILL = 1


class Every(IntEnum):
    """How often money comes or goes; the first session of a new period, never the first of all."""

    NEVER = 0
    YEAR = 1
    QUARTER = 2
    MONTH = 3


class Shortfall(IntEnum):
    """What is sold where the bank does not hold a withdrawal."""

    NONE = 0
    OVERWEIGHT = 1
    PRO_RATA = 2
    LOWEST_TAX = 3


class Proceeds(IntEnum):
    """Which proceeds of the rule cover withdrawals: sales alone, or sales less purchases, fees included."""

    GROSS = 0
    NET = 1


class LotOrder(IntEnum):
    """Which buyback lots a sale takes first."""

    LIFO = 0
    FIFO = 1


# Where an asset has no substitute.
NO_SUBSTITUTE = -1

# Dates as ISO writes them, ascending, each with an amount of money.
LumpSums = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Rules:
    """What a simulation of one scenario runs on.

    Attributes:
        capital: money at the start, in the study's currency.
        reserve: share of the capital that the first purchases leave in the bank, a fraction.
        targets: target weights by asset, and from when on.
        brackets: distance of the next higher rung by asset, a fraction of the anchor.
        profit_shares: share of a rung's gain that is traded, by asset.
        lot_sizes: smallest tradable quantity by asset; 0 is fractional.
        fee_fixed: fee per trade in the study's currency.
        fee_rate: fee per traded value, a fraction.
        variant: which trades the rule makes.
        sizing: how much a sale sells.
        order: in which order assets trade on a leg.
        path: which way a bar's price is taken to have gone.
        anchor: where the anchor lies after a fill.
        max_rungs: most rungs that an asset fills or passes per side and leg.
        lot_order: which buyback lots a sale takes first.
        margin_limit: how far a buy may overdraw the bank, a fraction of the portfolio's value at the previous close.
        margin_rate: what an overdrawn bank pays, a fraction per year.
        deposit: money that comes in each period, in the study's currency.
        deposit_every: its period.
        deposits_on: lump sums that come in besides, by date as ISO writes it, in the study's currency.
        deposit_invest: whether all but the reserve's share of a deposit buys assets at the close.
        reinvest: whether a dividend buys its asset at the close.
        withdrawal: money that is to go out each period, in the study's currency.
        withdrawal_share: what is to go out besides, a fraction of the value at that close.
        withdrawal_every: their period.
        withdrawals_on: lump sums that are to go out besides, by date as ISO writes it, in the study's currency.
        coverage_min: proceeds over withdrawals scheduled so far, below which a withdrawal is skipped.
        coverage_of: which proceeds count.
        shortfall: what is sold where the bank does not hold a withdrawal.
        indexed: whether ``withdrawal`` grows with the panel's price index.
        rebalance_every: the calendar's trigger.
        rebalance_on_change: whether targets that change are a trigger.
        deviation, deviation_width: distance from a target that triggers; infinity for none.
        volatility, volatility_window: yearly volatility over so many sessions that triggers; infinity for none.
        patience: most sessions that a trade waits once it is triggered; 0 for none.
        patience_mean: sessions whose mean close it waits for the price to come back to.
        band, band_width: half the width of the bands around targets; infinity for none.
        band_edges: lower and upper edge of the fixed bands, shape (assets, 2), NaN where an asset has none
            of its own; None where no asset has.
        min_trade: money below which a portfolio rule does not trade.
        max_cost: fee over traded value above which a portfolio rule does not trade; infinity for none.
        cash_low: share of cash below which the rule buys less; 0 for never.
        cash_high: share of cash above which the excess over the reserve is deployed; infinity for never.
        candidates: positions in the panel of what is bought once no asset is under its target, in that order.
        drift: share of the target weight above it from which profit is taken; infinity for never.
        premium_spread: highest less lowest premium above which the one is sold for the other; infinity for never.
        harvest_every: when losses are realised for their taxes.
        harvest_loss: how far the price must be below the average cost for that, a fraction of the cost.
        harvest_min: the smallest loss that is realised, in the study's currency.
        substitutes: by asset, the one that is bought in its place, its position in the panel, -1 for none; each is the
            substitute of its substitute; empty where no asset has one.
        adaptive_bracket: whether brackets follow how often prices gap over a rung.
        stop: drawdown beyond which the rule stops buying; infinity for never.
    """

    capital: float
    reserve: float
    targets: Targets
    brackets: Floats
    profit_shares: Floats
    lot_sizes: Floats
    fee_fixed: float = 0.0
    fee_rate: float = 0.0
    variant: Variant = Variant.FULL
    sizing: Sizing = Sizing.GAIN_SHARE
    order: Order = Order.UNIVERSE
    path: Path = Path.NEAREST
    anchor: Anchor = Anchor.LADDER
    max_rungs: int = 64
    lot_order: LotOrder = LotOrder.LIFO
    margin_limit: float = 0.0
    margin_rate: float = 0.0
    deposit: float = 0.0
    deposit_every: Every = Every.NEVER
    deposits_on: LumpSums = ()
    deposit_invest: bool = True
    reinvest: bool = False
    withdrawal: float = 0.0
    withdrawal_share: float = 0.0
    withdrawal_every: Every = Every.NEVER
    withdrawals_on: LumpSums = ()
    coverage_min: float = 0.0
    coverage_of: Proceeds = Proceeds.GROSS
    shortfall: Shortfall = Shortfall.NONE
    indexed: bool = False
    rebalance_every: Every = Every.NEVER
    rebalance_on_change: bool = False
    deviation: float = math.inf
    deviation_width: Width = Width.ABSOLUTE
    volatility: float = math.inf
    volatility_window: int = 0
    patience: int = 0
    patience_mean: int = 0
    band: float = math.inf
    band_width: Width = Width.ABSOLUTE
    band_edges: Floats | None = None
    min_trade: float = 0.0
    max_cost: float = math.inf
    cash_low: float = 0.0
    cash_high: float = math.inf
    candidates: tuple[int, ...] = ()
    drift: float = math.inf
    premium_spread: float = math.inf
    harvest_every: Every = Every.NEVER
    harvest_loss: float = 0.0
    harvest_min: float = 0.0
    substitutes: tuple[int, ...] = ()
    adaptive_bracket: bool = False
    stop: float = math.inf

    @classmethod
    def scalars(cls, *kinds: type) -> tuple[str, ...]:
        """Return the names of the rules that are single numbers of some kinds, choices being whole numbers."""
        return tuple(
            field.name for field in fields(cls) if isinstance(field.type, type) and issubclass(field.type, kinds)
        )

    @property
    def banded(self) -> bool:
        """Whether some asset has a band."""
        return self.band < math.inf or self.band_edges is not None

    def with_reserve(self, reserve: float) -> "Rules":
        """Return the same rules with another reserve; both share all arrays."""
        # `replace`, which sets every field again, takes seven times as long.
        rules = copy(self)
        object.__setattr__(rules, "reserve", reserve)
        return rules


def resolve(study: Study, scenario: Scenario) -> Rules:
    """Return the rules of one scenario: an asset's own spacing and share before the strategy's before the default."""
    strategy = study.strategies[scenario.strategy]
    costs = study.costs_of(scenario.strategy)
    assets = study.universe.values()
    rule = strategy.rule or Rule()
    deposits, withdrawals = study.deposits, study.withdrawals_of(scenario.strategy)
    return Rules(
        capital=study.capital,
        reserve=scenario.reserve,
        targets=targets_of(study, scenario.strategy),
        brackets=np.array([asset.spacing or rule.spacing_or_default for asset in assets]),
        profit_shares=np.array(
            [rule.profit_share_or_default if asset.profit_share is None else asset.profit_share for asset in assets]
        ),
        lot_sizes=np.array([asset.lot_size for asset in assets]),
        fee_fixed=costs.fixed,
        fee_rate=costs.bps / 10_000,
        reinvest=strategy.dividends_or_default == "reinvest",
        lot_order=LotOrder[strategy.lot_order.upper()],
        **(_rule(strategy.rule) if strategy.rule else {"variant": Variant.NO_RULE}),
        **(_deposit_rules(deposits) if deposits else {}),
        **(_withdrawal_rules(withdrawals, study.capital) if withdrawals else {}),
        **_portfolio_rules(study, strategy),
    )


def resolve_all(study: Study, scenarios: Iterable[Scenario]) -> Iterator[Rules]:
    """Yield the rules of each scenario; those of a strategy differ by the reserve alone, and share all arrays."""
    known: dict[str, Rules] = {}
    for scenario in scenarios:
        if scenario.strategy not in known:
            known[scenario.strategy] = resolve(study, scenario)
        yield known[scenario.strategy].with_reserve(scenario.reserve)


def with_deposits(rules: Rules, deposits: Deposits | None) -> Rules:
    """Return rules to which other deposits come than their own, or none."""
    without = replace(rules, deposit=0.0, deposit_every=Every.NEVER, deposits_on=(), deposit_invest=True)
    return replace(without, **_deposit_rules(deposits)) if deposits else without


def with_withdrawals(rules: Rules, withdrawals: Withdrawals) -> Rules:
    """Return rules that pay other withdrawals than their own."""
    return replace(rules, **_withdrawal_rules(withdrawals, rules.capital))


def targets_of(study: Study, name: str) -> Targets:
    """Return a strategy's targets: the universe's weights or those of its allocation, or what its mix decided.

    Rows that are written in the study are scaled to sum to 1; a mix may leave some in the bank.

    Raises:
        NotReadyError: what the mix decided is not known, as in a study that was only read from its file.
    """
    strategy = study.strategies[name]
    if strategy.mix is not None:
        if (decisions := study.decisions_of(name)) is None:
            raise NotReadyError(
                f"strategies.{name}: the mix {strategy.mix} has decided nothing on the present prices: run the study"
            )
        return Targets(np.array(list(decisions), dtype="datetime64[D]"), np.array(list(decisions.values())))
    if strategy.allocation is None:
        return universe_targets(study)
    rows = [_scaled([row.get(ticker, 0.0) for ticker in study.tickers]) for row in strategy.allocation.rows.values()]
    if not strategy.has_changing_targets:
        return Targets.constant(rows[0])
    return Targets(np.array(list(strategy.allocation.rows), dtype="datetime64[D]"), np.array(rows))


def universe_targets(study: Study) -> Targets:
    """Return the universe's weights, which never change, as targets."""
    return Targets.constant(_scaled([asset.weight for asset in study.universe.values()]))


def _scaled(weights: Sequence[float]) -> Floats:
    array = np.array(weights)
    return np.asarray(array / array.sum())


# Keys of a rule that become something else than a number or a choice of the same name.
_RESOLVED_APART = ("sd_n", "bracket", "profit_share", "margin")


def _rule(rule: Rule) -> dict[str, Any]:
    """Return what a rule switches on, key by key; the rest keeps the defaults of :class:`Rules`."""
    kinds = {field.name: field.type for field in fields(Rules)}
    given = {
        name: _resolved(value, kinds[name]) for name, value in rule if value is not None and name not in _RESOLVED_APART
    }
    margin = {"margin_limit": rule.margin.limit, "margin_rate": rule.margin.rate} if rule.margin else {}
    return given | margin


def _resolved(value: Any, kind: Any) -> Any:
    """Return a value of a study as the rules have it: a word is the choice of that name."""
    return kind[value.upper()] if isinstance(value, str) else value


PERIODS_PER_YEAR = {Every.YEAR: 1, Every.QUARTER: 4, Every.MONTH: 12}


def _deposit_rules(deposits: Deposits) -> dict[str, Any]:
    return {
        "deposit": deposits.amount or 0.0,
        "deposit_every": Every.NEVER if deposits.amount is None else Every[deposits.every.upper()],
        "deposits_on": _lump_sums(deposits.on),
        "deposit_invest": deposits.invest,
    }


def _withdrawal_rules(withdrawals: Withdrawals, capital: float) -> dict[str, Any]:
    every = Every[withdrawals.every.upper()]
    share = (withdrawals.rate or 0.0) / PERIODS_PER_YEAR[every]
    return {
        "withdrawal": withdrawals.amount or (share * capital if withdrawals.of == "capital" else 0.0),
        "withdrawal_share": share if withdrawals.of == "value" else 0.0,
        "withdrawal_every": every if withdrawals.is_periodic else Every.NEVER,
        "withdrawals_on": _lump_sums(withdrawals.on),
        "coverage_min": withdrawals.coverage,
        "coverage_of": Proceeds[withdrawals.coverage_of.upper()],
        "shortfall": Shortfall[withdrawals.shortfall.upper()],
        "indexed": withdrawals.indexed,
    }


def _lump_sums(amounts: Mapping[dt.date, float] | None) -> LumpSums:
    return tuple((date.isoformat(), amount) for date, amount in sorted((amounts or {}).items()))


def _portfolio_rules(study: Study, strategy: Strategy) -> dict[str, Any]:
    """Return what the strategy switches on; the rest keeps the defaults of :class:`Rules`."""
    given: dict[str, Any] = {"rebalance_on_change": strategy.rebalances_on_change}
    if strategy.rebalance is not None:
        given |= _triggers(strategy.rebalance)
    if strategy.band is not None:
        given |= _bands(study, strategy.band)
    if strategy.cash is not None:
        places = tuple(study.tickers.index(ticker) for ticker in strategy.cash.candidates)
        given |= {"cash_high": strategy.cash.high, "candidates": places}
    if strategy.drift is not None:
        given["drift"] = strategy.drift
    if strategy.premium_spread is not None:
        given["premium_spread"] = strategy.premium_spread
    if strategy.harvest is not None:
        given |= _harvest(study, strategy.harvest)
    return given


def _harvest(study: Study, harvest: Harvest) -> dict[str, Any]:
    substitutes = harvest.pairs
    return {
        "harvest_every": Every[harvest.every.upper()],
        "harvest_loss": harvest.loss,
        "harvest_min": harvest.min_loss,
        "substitutes": tuple(
            study.tickers.index(substitutes[ticker]) if ticker in substitutes else NO_SUBSTITUTE
            for ticker in study.tickers
        )
        if substitutes
        else (),
    }


def _bands(study: Study, bands: Bands) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if (around := bands.around_targets) is not None:
        given |= {"band": around.width, "band_width": Width[around.kind.upper()]}
    if bands.edges:
        given["band_edges"] = np.array([bands.edges.get(ticker, (np.nan, np.nan)) for ticker in study.tickers])
    return given


def _triggers(rebalance: Rebalance) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if rebalance.every is not None:
        given["rebalance_every"] = Every[rebalance.every.upper()]
    if rebalance.deviation is not None:
        width = Width[rebalance.deviation.kind.upper()]
        given |= {"deviation": rebalance.deviation.width, "deviation_width": width}
    if rebalance.volatility is not None:
        given |= {"volatility": rebalance.volatility.level, "volatility_window": rebalance.volatility.window}
    if rebalance.patience is not None:
        given |= {"patience": rebalance.patience.sessions, "patience_mean": rebalance.patience.mean}
    if rebalance.cost_aware is not None:
        given |= {"min_trade": rebalance.cost_aware.min_trade, "max_cost": rebalance.cost_aware.max_cost}
    return given
