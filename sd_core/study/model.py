"""The validated study: what is to be simulated, on which prices, and with which rules.

A study is validated once and trusted everywhere else. How it is read from a file belongs in ``loading``, its parts in
``parts`` and ``strategy``. How its rules act on prices belongs in ``simulation``; where prices come from in ``market``.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from sd_core.study.factors import Factors
from sd_core.study.fields import OWN_DATES, CalendarDate, Currency, Name, Reserves, RiskFree, Sessions, Ticker
from sd_core.study.findings import MisfitError, show
from sd_core.study.mixes import Mix, mix_misfits
from sd_core.study.parts import (
    LARGEST_CAPITAL,
    Asset,
    Bootstrap,
    Costs,
    Deposits,
    Part,
    Source,
    Taxes,
    Withdrawals,
)
from sd_core.study.satellites import LIVE, Plan, SatelliteAsset
from sd_core.study.scenario import MOST_SCENARIOS, Scenario
from sd_core.study.signals import Signal, signal_misfits
from sd_core.study.strategy import Strategy
from sd_core.study.stress import Stress
from sd_core.wording import did_you_mean


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


def _tickers_named(strategy: Strategy) -> Iterator[tuple[str, str]]:
    """Yield every ticker that a strategy names, with its place in it."""
    if strategy.allocation is not None and strategy.mix is None:
        place = "allocation.weights" if strategy.allocation.schedule is None else "allocation.schedule"
        for ticker in dict.fromkeys(ticker for row in strategy.allocation.rows.values() for ticker in row):
            yield place, ticker
    if strategy.band is not None:
        yield from (("band", ticker) for ticker in strategy.band.edges)
    if strategy.cash is not None:
        yield from (("cash.candidates", ticker) for ticker in strategy.cash.candidates)
    if strategy.harvest is not None:
        yield from (("harvest.substitute", ticker) for ticker in strategy.harvest.pairs)


def _not_income(judge: object) -> object:
    if judge == "income":
        raise ValueError(
            "expected withdrawals, as what is paid to you is called; income is dividends, interest and harvest"
        )
    return judge


# Target weights in the order of the universe, by the date from whose close on they are in force, ascending.
Decisions = Mapping[dt.date, tuple[float, ...]]


def _yearly_if_rolling(period: str) -> str:
    """Return what starts roll by: by years where only that they roll is asked."""
    return "year" if period == "rolling" else period


# What a scenario is judged by.
Judge = Annotated[Literal["cagr", "sharpe", "withdrawals", "ending_value"], BeforeValidator(_not_income)]
# Of which periods the first sessions are starts.
StartDates = Annotated[Literal["year", "month", "rolling"], AfterValidator(_yearly_if_rolling)]


class Study(Part):
    """Everything that one study asks for. Made by :func:`sd_core.study.loading.load_study`; immutable."""

    name: Name
    source: Source
    start: CalendarDate
    end: CalendarDate | None = None
    sessions: Sessions = "XNYS"
    capital: float = Field(gt=0, le=LARGEST_CAPITAL)
    currency: Currency = "USD"
    benchmark: Ticker = "universe"
    risk_free: RiskFree = 0.0
    price_index: str | None = Field(None, min_length=1, description="CSV file of consumer prices by date.")
    universe: Annotated[dict[Ticker, Asset], Field(min_length=1), AfterValidator(_weighted_and_distinct)]
    reserves: Reserves
    costs: Costs = Costs(bps=0, fixed=0)
    deposits: Deposits | None = None
    withdrawals: Withdrawals | None = None
    bootstrap: Bootstrap = Bootstrap(histories=1_000, block=None, seed=1, years=None, withdrawal_rates=[0.04])
    taxes: Taxes | None = None
    path_band: bool = Field(False, description="Whether every scenario is simulated under all paths.")
    judge_by: Judge = Field(
        "cagr", description="Measure by which the best of those is chosen that paid every withdrawal."
    )
    start_dates: StartDates | None = Field(
        None, description="Whether every scenario is also simulated from the start of each year, or month."
    )
    factors: Factors | None = Field(None, description="What returns are explained by.")
    stress: Stress | None = Field(None, description="Windows of the past to look at, beside the deepest drawdowns.")
    signals: dict[Name, Signal] = Field({}, description="What is asked of past prices about each asset, by name.")
    hourly: bool = Field(False, description="Whether hourly bars are kept, for correlations within the day.")
    mixes: dict[Name, Mix] = Field({}, description="How target weights are decided from past prices, by name.")
    paper: list[Name] = Field([], description="Strategies whose decisions are frozen every night.")
    strategies: dict[Name, Strategy] = Field(min_length=1)
    satellite_universe: dict[Ticker, SatelliteAsset] = Field({}, description="Tickers that satellites may trade.")
    buckets: dict[Name, Plan] = Field({}, description="Plans of a core with satellites.")
    ledger: Name = Field("main", description="The ledger of the account, which several studies may share.")
    _sweeps: dict[str, str] = PrivateAttr(default_factory=dict)
    _decisions: Mapping[str, Decisions] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if misfits := [
            *self._range_misfits(),
            *self._currency_misfits(),
            *self._ticker_misfits(),
            *signal_misfits(self.signals),
            *self._mix_misfits(),
            *self._strategy_misfits(),
            *self._index_misfits(),
            *self._lump_sum_misfits(),
            *self._judge_misfits(),
            *self._bucket_misfits(),
            *self._paper_misfits(),
            *self._stress_misfits(),
            *self._hourly_misfits(),
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

    def _judge_misfits(self) -> Iterator[str]:
        if self.judge_by == "withdrawals" and not any(map(self.withdrawals_of, self.strategies)):
            yield (
                "judge_by: 'withdrawals': expected cagr, sharpe or ending_value, since the study has no withdrawals to "
                "be paid"
            )

    def _lump_sum_misfits(self) -> Iterator[str]:
        parts = {"deposits": self.deposits, "withdrawals": self.withdrawals}
        parts |= {f"strategies.{name}.withdrawals": one.withdrawals for name, one in self.strategies.items()}
        parts |= {f"buckets.{name}.deposits": plan.deposits for name, plan in self.buckets.items()}
        for place, part in parts.items():
            for date in part.on or () if part else ():
                if date <= self.start:
                    yield f"{place}.on: {date}: expected a date after start, {self.start}"
                elif self.end is not None and date > self.end:
                    yield f"{place}.on: {date}: expected a date on or before end, {self.end}"

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
        # Without regard to case: a ticker names a folder, and some file systems do not distinguish case.
        assets = {ticker.lower(): ticker for ticker in self.universe}
        for ticker in self.satellite_universe:
            if (twin := assets.setdefault(ticker.lower(), ticker)) in self.universe:
                yield f"satellite_universe.{ticker}: expected a ticker that the universe does not have"
            elif twin != ticker:
                yield (
                    f"satellite_universe.{ticker}: expected tickers that differ by more than case, but {twin} is "
                    "there too"
                )
        benchmark = self.benchmark.lower()
        if (asset := assets.get(benchmark, self.benchmark)) != self.benchmark:
            owner = "the universe" if asset in self.universe else "satellite_universe"
            yield f"benchmark: {show(self.benchmark)}: expected {asset}, as {owner} writes it"
        if (rate := (self.rate_ticker or "").lower()) in (*assets, benchmark):
            if rate in assets:
                owner = (
                    "an asset of the universe" if assets[rate] in self.universe else "a ticker of satellite_universe"
                )
            else:
                owner = "the benchmark"
            yield f"risk_free: {show(self.risk_free)}: expected a rate, but it is {owner}"

    def _mix_misfits(self) -> Iterator[str]:
        assets = {ticker: asset.asset_class for ticker, asset in self.universe.items()}
        yield from mix_misfits(self.mixes, assets, self.signals, has_costs=self.costs.bps > 0)

    def _strategy_misfits(self) -> Iterator[str]:
        for name, strategy in self.strategies.items():
            for place, ticker in _tickers_named(strategy):
                if ticker not in self.universe:
                    yield (
                        f"strategies.{name}.{place}: {show(ticker)}: expected a ticker of the universe, of weight 0 or "
                        "any other"
                    )
            if strategy.mix is not None and strategy.mix not in self.mixes:
                meant = did_you_mean(strategy.mix, self.mixes)
                yield f"strategies.{name}.allocation.mix: {show(strategy.mix)}: expected a mix of the study{meant}"
            if strategy.harvest is not None and self.taxes is None:
                yield f"strategies.{name}.harvest: expected none, since the study has no taxes that a loss could lower"
            if strategy.cash is not None and len(set(strategy.cash.candidates)) < len(strategy.cash.candidates):
                yield f"strategies.{name}.cash.candidates: {show(strategy.cash.candidates)}: expected every ticker once"
            if strategy.allocation is not None and strategy.allocation.schedule is not None:
                first = min(strategy.allocation.schedule)
                if first > self.start:
                    yield (
                        f"strategies.{name}.allocation.schedule: {first}: expected a first date on or before start, "
                        f"{self.start}"
                    )

    def _paper_misfits(self) -> Iterator[str]:
        for name, times in Counter(self.paper).items():
            if name not in self.strategies:
                yield f"paper: {name}: expected a strategy of the study{did_you_mean(name, self.strategies)}"
            elif (keep := self.strategies[name].keep) != "ledger":
                yield f"paper: {name}: expected a strategy that keeps its ledger, but keep is {keep}"
            if times > 1:
                yield f"paper: {name}: expected every strategy once"
        if self.paper and self.sessions in OWN_DATES:
            yield (
                f"paper: {', '.join(self.paper)}: expected none, since sessions is {self.sessions}: only an exchange's "
                "calendar knows the next session before it comes"
            )

    def _bucket_misfits(self) -> Iterator[str]:
        if LIVE in self.buckets:
            yield f"buckets.{LIVE}: expected another name, since the account's own book is called so"
        for name, plan in self.buckets.items():
            yield from (f"buckets.{name}.{misfit}" for misfit in self._plan_misfits(plan))

    def _hourly_misfits(self) -> Iterator[str]:
        if self.hourly and self.source.kind == "sample":
            yield "hourly: true: expected false, since the sample has daily closes alone"

    def _stress_misfits(self) -> Iterator[str]:
        if self.stress is not None:
            yield from (f"stress.{misfit}" for misfit in self.stress.misfits(self.start, self.end))

    def _plan_misfits(self, plan: Plan) -> Iterator[str]:
        core = plan.core
        if core.strategy not in self.strategies:
            meant = did_you_mean(core.strategy, self.strategies)
            yield f"core.strategy: {show(core.strategy)}: expected a strategy of the study{meant}"
        if core.reserve not in self.reserves:
            levels = ", ".join(f"{level:g}" for level in self.reserve_levels)
            yield f"core.reserve: {show(core.reserve)}: expected a reserve of the study: {levels}"
        for name, satellite in plan.satellites.items():
            for ticker in satellite.tickers:
                if ticker not in self.satellite_universe:
                    meant = did_you_mean(ticker, self.satellite_universe)
                    yield f"satellites.{name}.tickers: {show(ticker)}: expected a ticker of satellite_universe{meant}"

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
    def satellite_tickers(self) -> tuple[str, ...]:
        """The tickers that satellites may trade, in the study's order; none is an asset of the universe."""
        return tuple(self.satellite_universe)

    @property
    def hourly_tickers(self) -> tuple[str, ...]:
        """The tickers of which hourly bars are kept: the universe, or none."""
        return self.tickers if self.hourly else ()

    @property
    def market_tickers(self) -> tuple[str, ...]:
        """Every ticker of which there are bars: those whose prices are needed, then those of satellites, each once."""
        return tuple(dict.fromkeys((*self.price_tickers, *self.satellite_tickers)))

    @property
    def fetched_tickers(self) -> tuple[str, ...]:
        """Every ticker that a source is asked for: those with bars, then that of the rate where there is one."""
        return self.market_tickers + (() if self.rate_ticker is None else (self.rate_ticker,))

    @property
    def never_bought(self) -> tuple[str, ...]:
        """The tickers of the universe that no strategy ever has a reason to buy, in the study's order.

        Reasons are a target weight at any time, a lower edge of a band above 0, a place among candidates, and being the
        substitute of what is harvested.
        """
        bought = {ticker for strategy in self.strategies.values() for ticker in self._bought_by(strategy)}
        return tuple(ticker for ticker in self.universe if ticker not in bought)

    def _bought_by(self, strategy: Strategy) -> Iterator[str]:
        own = {ticker: asset.weight for ticker, asset in self.universe.items()}
        rows = [own] if strategy.allocation is None else strategy.allocation.rows.values()
        yield from (ticker for row in rows for ticker, weight in row.items() if weight > 0)
        if strategy.band is not None:
            yield from (ticker for ticker, (low, _) in strategy.band.edges.items() if low > 0)
        if strategy.cash is not None:
            yield from strategy.cash.candidates
        if strategy.harvest is not None:
            yield from strategy.harvest.pairs

    @property
    def reserve_levels(self) -> tuple[float, ...]:
        """The reserve levels, ascending."""
        return tuple(sorted(self.reserves))

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Every strategy at every reserve, strategies in the study's order, reserves ascending."""
        # There may be 100,000, which tuples are made of fastest in C.
        return tuple(map(Scenario._make, product(self.strategies, self.reserve_levels)))

    @property
    def holding(self) -> Scenario | None:
        """The scenario that others are compared with: the first strategy that buys and holds, at a reserve of 0."""
        held = next((name for name, strategy in self.strategies.items() if strategy.is_buy_and_hold), None)
        return Scenario(strategy=held, reserve=0.0) if held is not None and 0.0 in self.reserves else None

    @property
    def rivals(self) -> tuple[Scenario, ...]:
        """The scenarios that could be chosen instead of buy-and-hold: all but it, at whatever reserve; none without it.

        What holds other weights is a rival.
        """
        if self.holding is None:
            return ()
        allocation = self.strategies[self.holding.strategy].allocation
        held = {
            name
            for name, strategy in self.strategies.items()
            if strategy.is_buy_and_hold and strategy.allocation == allocation
        }
        return tuple(one for one in self.scenarios if one.strategy not in held)

    def sweep_of(self, strategy: str) -> str | None:
        """Return the name of the sweep that a strategy was written in, or None where it is not part of one."""
        return self._sweeps.get(strategy)

    def with_decisions(self, decisions: Mapping[str, Decisions]) -> Self:
        """Return the study that knows which target weights mixes have decided on, by the name of the mix."""
        knowing = self.model_copy()
        knowing._decisions = dict(decisions)  # noqa: SLF001  of a copy of its own
        return knowing

    def decisions_of(self, strategy: str) -> Decisions | None:
        """Return the target weights that a strategy's mix has decided on, None where they are not known."""
        return self._decisions.get(self.strategies[strategy].mix or "")

    def is_decided(self, strategy: str) -> bool:
        """Return whether a strategy's target weights are known: written in the study, or decided by its mix."""
        return self.strategies[strategy].mix is None or self.decisions_of(strategy) is not None

    @property
    def resampled(self) -> tuple[Scenario, ...]:
        """The scenarios that bootstrap samples are simulated of; a mix would decide again in every sample."""
        return tuple(one for one in self.scenarios if self.strategies[one.strategy].mix is None)

    def withdrawals_of(self, strategy: str) -> Withdrawals | None:
        """Return the withdrawals that a strategy is to pay: its own, or the study's.

        A strategy without a rule has no proceeds and no opinion: it sells of everything alike what the study's
        withdrawals take.
        """
        rules = self.strategies[strategy]
        if rules.withdrawals is None and self.withdrawals is not None and rules.rule is None:
            return self.withdrawals.model_copy(update={"coverage": 0.0, "shortfall": "pro_rata"})
        return rules.withdrawals or self.withdrawals

    def withdrawals_at(self, strategy: str, rate: float) -> Withdrawals:
        """Return withdrawals of a yearly rate of the capital, on the terms of those that a strategy is to pay.

        Without any they fall due each month and are met pro rata. They follow the price index where the study has one,
        unless withdrawals of an amount or of a rate of the capital say otherwise. Lump sums are left out.
        """
        has_index = self.price_index is not None
        own = self.withdrawals_of(strategy)
        if own is None:
            return Withdrawals(rate=rate, indexed=has_index)
        indexed = has_index if own.is_of_value else own.indexed
        return own.model_copy(update={"amount": None, "rate": rate, "of": "capital", "indexed": indexed, "on": None})

    def deposits_of(self, plan: str) -> Deposits | None:
        """Return the money that comes in to a plan of buckets: its own, or the study's."""
        return self.buckets[plan].deposits or self.deposits

    def costs_of(self, strategy: str) -> Costs:
        """Return the costs that a strategy pays: its own, or the study's."""
        return self.strategies[strategy].costs or self.costs
