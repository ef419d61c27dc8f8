"""What a study's plan comes to: the plan that the engine simulates, the rules of its core, and the money that comes in.

How a plan is written belongs in ``study``, how it is simulated in ``engine``.
"""

from collections.abc import Sequence
from dataclasses import replace

from sd_core.buckets.history.contract import Plan, Satellite
from sd_core.buckets.presets import settings_of
from sd_core.market.arrays import Dates, Floats
from sd_core.market.currencies import minor_digits
from sd_core.simulation.flows import deposits_by_session
from sd_core.simulation.rules import Rules, resolve, with_deposits
from sd_core.study import satellites
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario


def plan_of(study: Study, name: str) -> Plan:
    """Return a plan of a study, with every default filled in; its tickers are places in :func:`tickers_of`."""
    asked = study.buckets[name]
    tickers = tickers_of(study, name)
    return Plan(
        name=name,
        capital=study.capital,
        budget=asked.budget_or_default,
        satellites=tuple(_satellite(bucket, one, tickers) for bucket, one in asked.satellites.items()),
        starts_at_target=asked.initial == "target",
        lot_sizes=tuple(study.satellite_universe[ticker].lot_size for ticker in tickers),
        fee_fixed=study.costs.fixed,
        fee_rate=study.costs.bps / 10_000,
        minor=10.0 ** minor_digits(study.currency),
    )


def tickers_of(study: Study, name: str) -> tuple[str, ...]:
    """Return the tickers that some satellite of a plan trades, in the study's order."""
    traded = {ticker for one in study.buckets[name].satellites.values() for ticker in one.tickers}
    return tuple(ticker for ticker in study.satellite_tickers if ticker in traded)


def _satellite(name: str, asked: satellites.Satellite, tickers: Sequence[str]) -> Satellite:
    return Satellite(
        name=name,
        tickers=tuple(place for place, ticker in enumerate(tickers) if ticker in asked.tickers),
        target=asked.target_or_default,
        parameters=settings_of(asked).parameters,
        min_pct=asked.min_pct,
    )


def core_rules(study: Study, name: str) -> Rules:
    """Return the rules of a plan's core: those of its scenario, with the capital that satellites leave it.

    Its part of the plan's deposits comes to it from outside of its rules.
    """
    core = study.buckets[name].core
    rules = with_deposits(resolve(study, Scenario(strategy=core.strategy, reserve=core.reserve)), None)
    invest = deposits.invest if (deposits := study.deposits_of(name)) else True
    return replace(rules, capital=plan_of(study, name).core_capital, deposit_invest=invest)


def plan_deposits(study: Study, name: str, sessions: Dates) -> Floats:
    """Return the money that comes in to a plan on each session, shape (sessions,); none on the first."""
    core = study.buckets[name].core
    rules = resolve(study, Scenario(strategy=core.strategy, reserve=core.reserve))
    return deposits_by_session(with_deposits(rules, study.deposits_of(name)), sessions)
