"""Panels and rules for tests of the engines: written down in one line, or drawn from a seed.

The drawn ones are meant to be awkward: gaps over several rungs, prices exactly on a rung, missing bars, dividends on
days without trading, purchases that round down to nothing, fees that eat a sale, credit that runs out, withdrawals far
beyond what there is, bands and triggers that hold always or never, targets that change on days without trading, twice
at once, or to what they were. What the engines should make of them belongs in the tests.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from sd_core.market.arrays import Dates, Floats
from sd_core.market.panel import Panel
from sd_core.simulation.rules import (
    NO_SUBSTITUTE,
    Anchor,
    Every,
    LotOrder,
    LumpSums,
    Order,
    Path,
    Proceeds,
    Rules,
    Shortfall,
    Sizing,
    Variant,
    Width,
)
from sd_core.simulation.targets import Targets

SD8 = 2 ** (1 / 8) - 1
HUGE_LOT = 1e9

# What the rules of portfolios, and those on the rule, are where a study does not ask for them.
IDLE: dict[str, Any] = {
    "deposits_on": (),
    "withdrawals_on": (),
    "deposit_invest": False,
    "reinvest": False,
    "indexed": False,
    "rebalance_every": Every.NEVER,
    "rebalance_on_change": False,
    "deviation": math.inf,
    "volatility": math.inf,
    "patience": 0,
    "band": math.inf,
    "band_edges": None,
    "min_trade": 0.0,
    "max_cost": math.inf,
    "cash_low": 0.0,
    "cash_high": math.inf,
    "candidates": (),
    "drift": math.inf,
    "premium_spread": math.inf,
    "harvest_every": Every.NEVER,
    "substitutes": (),
    "adaptive_bracket": False,
    "stop": math.inf,
}

Price = float | tuple[float, float, float, float]


def panel_of(
    *assets: Sequence[Price],
    sessions: Dates | None = None,
    dividends: Floats | None = None,
    rates: Floats | float = 0.0,
    price_index: Sequence[float] | None = None,
) -> Panel:
    """Return a panel of assets whose bars are one number (a flat bar) or open, high, low, close."""
    length = len(assets[0])
    bars = np.array([[np.broadcast_to(price, 4) for price in prices] for prices in assets], dtype=float)
    opens, highs, lows, closes = bars.transpose(2, 1, 0)
    return Panel(
        tickers=tuple(f"A{number}" for number in range(len(assets))),
        sessions=np.datetime64("2020-01-01") + np.arange(length) if sessions is None else sessions,
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        dividends=np.zeros_like(opens) if dividends is None else dividends,
        rates=np.broadcast_to(rates, (length,)).astype(float),
        price_index=None if price_index is None else np.array(price_index, dtype=float),
    )


def targets_of(rows: Mapping[str | np.datetime64, Sequence[float]]) -> Targets:
    """Return targets by date, in the order given."""
    return Targets(np.array(list(rows), "datetime64[D]"), np.array(list(rows.values()), dtype=float))


def rules_of(
    *,
    assets: int = 1,
    weights: Sequence[float] | None = None,
    targets: Targets | None = None,
    bracket: float = SD8,
    profit_share: float = 0.5,
    lot_size: float = 0.0,
    capital: float = 100_000.0,
    reserve: float = 0.0,
    **others: Any,
) -> Rules:
    """Return rules that treat every asset alike but for its weight, or for its ``targets`` if those change.

    ``others`` are fields of :class:`Rules`.
    """
    if targets is None:
        targets = Targets.constant(np.array([1 / assets] * assets if weights is None else weights, dtype=float))
    assets = targets.weights.shape[1]
    return Rules(
        capital=capital,
        reserve=reserve,
        targets=targets,
        brackets=np.full(assets, bracket),
        profit_shares=np.full(assets, profit_share),
        lot_sizes=np.full(assets, lot_size),
        **others,
    )


def of_the_rule_alone(rules: Rules) -> Rules:
    """Return the same rules without any that look at the portfolio as a whole."""
    return replace(rules, **IDLE, order=Order.UNIVERSE)


@dataclass(frozen=True)
class Case:
    """One drawn panel with the rules to run on it, and money by session that comes from elsewhere or goes there."""

    panel: Panel
    rules: Rules
    transfers: Mapping[int, float] = field(default_factory=dict)


@functools.cache
def random_case(seed: int) -> Case:
    """Return the case of a seed: 1 to 6 assets, 10 to 120 sessions, any rules that a study may ask for."""
    rng = np.random.default_rng(seed)
    # What a case has besides comes from a stream of its own: a seed keeps its prices, and most of its rules,
    # whatever is added to that.
    (apart,) = rng.spawn(1)
    rules = _draw_rules(rng, apart, assets=int(rng.integers(1, 7)))
    # Brackets adapt after 90 sessions at the earliest.
    length = rng.integers(95, 121) if rules.adaptive_bracket else rng.integers(10, 91)
    panel = _draw_panel(rng, rules, int(length))
    targets = _draw_targets(apart, rules.targets.weights[0], panel.sessions)
    invested = _draw_investing(apart)
    lump_sums = {
        key: _draw_lump_sums(apart, rules.capital, panel.sessions) for key in ("deposits_on", "withdrawals_on")
    }
    rules = replace(rules, targets=targets, **invested, **lump_sums)
    transfers = _draw_transfers(apart, rules.capital, len(panel.sessions))
    rules = replace(rules, **_draw_patience(apart, rules))
    return Case(panel, replace(rules, **_draw_harvest(apart, rules)), transfers)


class Style(Enum):
    """What a strategy is made of in the first place; more may be added to most."""

    RULE = 0
    RULE_BY_PREMIUM = 1
    RULE_AND_TRIGGERS = 2
    RULE_IN_BANDS = 3
    NO_RULE = 4
    BUY_AND_HOLD = 5


def _draw_rules(rng: np.random.Generator, apart: np.random.Generator, assets: int) -> Rules:
    capital = float(rng.choice([1_000.0, 100_000.0, 1_000_000.0]))
    fee_fixed, fee_rate = [(0.0, 0.0), (0.0, 0.002), (1.0, 0.0005), (0.004 * capital, 0.0)][rng.integers(4)]
    sizing = Sizing(rng.choice(2))
    variant = Variant(rng.choice(4, p=[0.52, 0.14, 0.1, 0.24]))
    style = _draw_style(rng, variant)
    margin_limit, margin_rate = _draw_margin(rng)
    reserve = float(rng.choice([0.0, 0.05, 0.3, 0.6, 0.9], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
    weights = _draw_weights(rng, assets)
    more = _draw_more_triggers(apart, style) | _draw_more_bands(apart, style, weights)
    return Rules(
        capital=capital,
        reserve=reserve,
        targets=Targets.constant(weights),
        brackets=_draw_brackets(rng, assets),
        profit_shares=np.where(
            rng.random(assets) < 0.3, rng.choice([0.0, 1.0], size=assets), rng.uniform(0.05, 0.95, size=assets)
        ),
        lot_sizes=rng.choice([0.0, 0.01, 1.0, 10.0, HUGE_LOT], size=assets, p=[0.5, 0.15, 0.15, 0.15, 0.05]),
        fee_fixed=fee_fixed,
        fee_rate=fee_rate,
        variant=Variant.NO_RULE if style is Style.NO_RULE else variant,
        sizing=sizing,
        order=_draw_order(apart, style),
        path=Path(rng.choice(4, p=[0.3, 0.25, 0.25, 0.2])),
        anchor=Anchor(rng.choice(2)),
        max_rungs=int(rng.choice([1, 2, 64])),
        # A study refuses to undo the newest purchase with the oldest lots.
        lot_order=LotOrder(rng.choice(2)) if sizing is Sizing.GAIN_SHARE else LotOrder.LIFO,
        margin_limit=margin_limit,
        margin_rate=margin_rate,
        **_draw_deposits(rng, capital),
        **_draw_withdrawals(rng, capital),
        **(_draw_triggers(rng, style) | more),
        **_draw_portfolio_rules(rng, style, capital, assets),
        **_draw_restraints(rng, style),
    )


def _draw_style(rng: np.random.Generator, variant: Variant) -> Style:
    """Return what a strategy of a variant may be made of; one without the rule so far is only bought and held."""
    if variant is Variant.NO_RULE:
        # A number is drawn all the same: those after it stay what they were.
        rng.choice(2)
        return Style.BUY_AND_HOLD
    return Style(rng.choice(5, p=[0.25, 0.18, 0.16, 0.26, 0.15]))


def _draw_order(rng: np.random.Generator, style: Style) -> Order:
    by_premium = style is Style.RULE_BY_PREMIUM or rng.random() < 0.2
    return Order.NAV_OPPORTUNISTIC if by_premium else Order.UNIVERSE


def _draw_triggers(rng: np.random.Generator, style: Style) -> dict[str, Any]:
    """Return bands around the targets, or what triggers the rebalancing to them; without a rule sometimes nothing."""
    if style is Style.RULE_IN_BANDS:
        return _draw_band(rng)
    if style is Style.RULE_AND_TRIGGERS:
        return _draw_some_triggers(rng, at_least_one=True)
    if style is Style.NO_RULE:
        return _draw_some_triggers(rng, at_least_one=False)
    return {}


def _draw_band(rng: np.random.Generator) -> dict[str, Any]:
    width, kind = _draw_width(rng)
    return {"band": width, "band_width": kind}


def _draw_some_triggers(rng: np.random.Generator, *, at_least_one: bool) -> dict[str, Any]:
    triggers: dict[str, Any] = {}
    chosen = rng.random(3) < 0.42
    if chosen[0] or (at_least_one and not chosen.any()):
        triggers |= {"rebalance_every": _draw_period(rng)}
    if chosen[1]:
        width, kind = _draw_width(rng)
        triggers |= {"deviation": width, "deviation_width": kind}
    if chosen[2]:
        triggers |= {"volatility": _draw_log(rng, 0.05, 2.0), "volatility_window": int(rng.integers(2, 21))}
    return triggers


def _draw_more_triggers(rng: np.random.Generator, style: Style) -> dict[str, Any]:
    """Return the trigger of targets that change, and now and then others beside bands."""
    if style is Style.BUY_AND_HOLD:
        return {}
    others = style is Style.RULE_IN_BANDS and rng.random() < 0.3
    triggers = _draw_some_triggers(rng, at_least_one=False) if others else {}
    return triggers | {"rebalance_on_change": bool(rng.random() < 0.45)}


def _draw_patience(rng: np.random.Generator, rules: Rules) -> dict[str, int]:
    """Return how long trades wait, where a trigger may ask for some: one session now and then, or to no end."""
    patient, sessions, mean = rng.random() < 0.35, rng.choice([1, 2, 5, 15, 100]), rng.integers(2, 13)
    has_trigger = rules.rebalance_every is not Every.NEVER or rules.rebalance_on_change
    if not (patient and (has_trigger or min(rules.deviation, rules.volatility) < math.inf)):
        return {}
    return {"patience": int(sessions), "patience_mean": int(mean)}


def _draw_harvest(rng: np.random.Generator, rules: Rules) -> dict[str, Any]:
    """Return which losses are harvested, four times in five none; assets are paired by chance, or left alone."""
    harvested, small = rng.random(2) < (0.2, 0.5)
    every, loss, smallest = _draw_period(rng), _draw_log(rng, 0.001, 0.3), rules.capital * _draw_log(rng, 1e-4, 0.1)
    assets = len(rules.brackets)
    paired = rng.permutation(assets)[: 2 * rng.integers(assets // 2 + 1)].reshape(-1, 2)
    if not harvested:
        return {}
    substitutes = np.full(assets, NO_SUBSTITUTE)
    substitutes[paired] = paired[:, ::-1]
    return {
        "harvest_every": every,
        "harvest_loss": loss,
        "harvest_min": 0.0 if small else smallest,
        "substitutes": tuple(substitutes.tolist()) if len(paired) else (),
    }


def _draw_more_bands(rng: np.random.Generator, style: Style, weights: Floats) -> dict[str, Any]:
    """Return bands beside triggers and without a rule, and bands of assets' own beside others or alone."""
    banded, own = rng.random(2) < (0.35, 0.4)
    if style in (Style.RULE_AND_TRIGGERS, Style.NO_RULE) and banded:
        bands = _draw_band(rng)
    elif style is Style.RULE_IN_BANDS:
        bands = {}
    else:
        return {}
    if own:
        bands |= {"band_edges": _draw_edges(rng, weights)} | ({"band": math.inf} if rng.random() < 0.4 else {})
    return bands


def _draw_edges(rng: np.random.Generator, weights: Floats) -> Floats:
    """Return the edges of one asset's own band or of more; most lie around the first target, some anywhere."""
    around = np.stack([weights * rng.uniform(0.0, 1.0, len(weights)), weights + rng.uniform(0.0, 0.3, len(weights))])
    anywhere = np.sort(rng.uniform(0.0, 1.0, (2, len(weights))), axis=0)
    edges = np.where(rng.random(len(weights)) < 0.75, around, anywhere)
    edges[0, rng.random(len(weights)) < 0.15] = 0.0
    without = rng.random(len(weights)) < 0.4
    without[rng.integers(len(weights))] = False
    edges[:, without] = np.nan
    return edges.T.copy()


def _draw_targets(rng: np.random.Generator, weights: Floats, sessions: Dates) -> Targets:
    """Return targets that change in four of ten cases, now and then with shares that sum to less than 1."""
    first = weights * _draw_invested(rng, probability=0.12)
    if rng.random() < 0.6:
        return Targets.constant(first)
    days = _draw_days_of_targets(rng, sessions)
    rows = [first]
    for _ in days[1:]:
        match rng.choice(["new", "same", "the one before", "by a bit"], p=[0.6, 0.2, 0.1, 0.1]):
            case "new":
                rows.append(_draw_weights(rng, len(weights)) * _draw_invested(rng, probability=0.2))
            case "same":
                rows.append(rows[-1])
            case "the one before":
                rows.append(rows[-2:][0])
            case "by a bit":
                rows.append(np.nextafter(rows[-1], 0.0))
    return Targets(days, np.array(rows))


def _draw_invested(rng: np.random.Generator, probability: float) -> float:
    """Return the sum of a row's shares: seldom less than 1, and then seldom nothing."""
    if rng.random() >= probability:
        return 1.0
    return 0.0 if rng.random() < 0.1 else rng.uniform(0.2, 0.98)


def _draw_days_of_targets(rng: np.random.Generator, sessions: Dates) -> Dates:
    """Return two days or more: sessions, days between sessions, two between the same two, days before and after all."""
    days = {sessions[0] + rng.integers(-8, 6), *rng.choice(sessions, size=rng.integers(1, 6))}
    between = np.setdiff1d(np.arange(sessions[0], sessions[-1]), sessions)
    if len(between) and rng.random() < 0.6:
        day = rng.choice(between)
        days |= {day, day + 1, *rng.choice(between, size=rng.integers(0, 4))}
    if rng.random() < 0.2:
        days |= {sessions[0] - rng.integers(1, 10)}
    if rng.random() < 0.2:
        days |= {sessions[-1] + rng.integers(1, 10)}
    return np.array(sorted(days))


def _draw_width(rng: np.random.Generator) -> tuple[float, Width]:
    if rng.random() < 0.5:
        return rng.uniform(0.005, 0.2), Width.ABSOLUTE
    return rng.uniform(0.03, 0.6), Width.RELATIVE


def _draw_portfolio_rules(rng: np.random.Generator, style: Style, capital: float, assets: int) -> dict[str, Any]:
    """Return what trades at the close, each part about every fourth time; nothing for what is only bought and held."""
    chosen = rng.random(4) < 0.25
    if style is Style.BUY_AND_HOLD:
        return {}
    parts: dict[str, Any] = {}
    if chosen[0]:
        # A study that leaves out one of the two leaves it at 0, or at 1.
        parts |= {
            "min_trade": 0.0 if rng.random() < 0.3 else capital * _draw_log(rng, 0.0003, 0.1),
            "max_cost": 1.0 if rng.random() < 0.3 else _draw_log(rng, 0.0005, 0.1),
        }
    if chosen[1]:
        number = int(rng.integers(assets + 1))
        parts |= {
            "cash_high": 0.0 if rng.random() < 0.15 else rng.uniform(0.01, 0.7),
            "candidates": tuple(int(asset) for asset in rng.permutation(assets)[:number]),
        }
    if chosen[2]:
        parts |= {"drift": rng.uniform(0.01, 0.6)}
    if chosen[3]:
        parts |= {"premium_spread": rng.uniform(0.01, 0.4)}
    return parts


def _draw_restraints(rng: np.random.Generator, style: Style) -> dict[str, Any]:
    """Return what holds the rule back; nothing where the rule does not trade."""
    chosen = rng.random(3) < (0.2, 0.15, 0.2)
    if style in (Style.BUY_AND_HOLD, Style.NO_RULE):
        return {}
    parts: dict[str, Any] = {"adaptive_bracket": bool(chosen[1])}
    if chosen[0]:
        parts |= {"cash_low": 1.0 if rng.random() < 0.1 else rng.uniform(0.02, 0.8)}
    if chosen[2]:
        parts |= {"stop": rng.uniform(0.02, 0.4)}
    return parts


def _draw_log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_deposits(rng: np.random.Generator, capital: float) -> dict[str, Any]:
    """Return the rules of deposits: none two times in three."""
    if rng.random() < 2 / 3:
        return {}
    return {"deposit": capital * rng.uniform(0.001, 0.1), "deposit_every": _draw_period(rng)}


def _draw_investing(rng: np.random.Generator) -> dict[str, bool]:
    """Return whether deposits and dividends are invested at the close."""
    return {"deposit_invest": bool(rng.random() < 0.6), "reinvest": bool(rng.random() < 0.4)}


def _draw_lump_sums(rng: np.random.Generator, capital: float, sessions: Dates) -> LumpSums:
    """Return sums by date, none four times in five: also of days without a session, and of some outside of them all."""
    if rng.random() < 0.8:
        return ()
    first, last = sessions[[0, -1]].astype("datetime64[D]").astype(int)
    days = np.unique(rng.integers(first - 3, last + 4, size=rng.integers(1, 5)))
    return tuple((str(np.datetime64(int(day), "D")), capital * float(rng.uniform(0.001, 0.4))) for day in days)


def _draw_transfers(rng: np.random.Generator, capital: float, length: int) -> dict[int, float]:
    """Return transfers by session, none nine times in ten; some ask for all that there is, and for more."""
    if rng.random() < 0.9:
        return {}
    sessions = rng.integers(1, length, size=rng.integers(1, 8))
    sizes = rng.choice([0.003, 0.1, 3.0], size=len(sessions), p=[0.4, 0.4, 0.2]) * rng.uniform(0.5, 1.5, len(sessions))
    signs = rng.choice([-1.0, 1.0], size=len(sessions))
    return {int(session): float(capital * flow) for session, flow in zip(sessions, signs * sizes, strict=True)}


def _draw_withdrawals(rng: np.random.Generator, capital: float) -> dict[str, Any]:
    """Return the rules of withdrawals: none about every second time; some ask for more than there is."""
    if rng.random() < 0.45:
        return {}
    size = float(rng.choice([0.003, 0.03, 0.2, 2.0]))
    fixed, of_value = [(1, 0), (0, 1), (1, 1)][rng.choice(3, p=[0.5, 0.3, 0.2])]
    return {
        "withdrawal": fixed * size * capital * rng.uniform(0.5, 1.5),
        "withdrawal_share": of_value * size * rng.uniform(0.5, 1.5),
        "withdrawal_every": _draw_period(rng),
        "coverage_min": 0.0 if rng.random() < 0.5 else _draw_log(rng, 0.002, 1.5),
        "coverage_of": Proceeds(rng.choice(2, p=[0.4, 0.6])),
        "shortfall": Shortfall(rng.choice(4)),
        # A study refuses to index what is a share of the value alone.
        "indexed": bool(fixed and rng.random() < 0.5),
    }


def _draw_period(rng: np.random.Generator) -> Every:
    return Every(rng.choice([Every.YEAR, Every.QUARTER, Every.MONTH]))


def _draw_margin(rng: np.random.Generator) -> tuple[float, float]:
    """Return limit and rate: no credit two times in three, and now and then credit that costs nothing."""
    if rng.random() < 2 / 3:
        return 0.0, 0.0
    return rng.uniform(0.1, 0.5), 0.0 if rng.random() < 0.2 else rng.uniform(0.0, 0.1)


def _draw_weights(rng: np.random.Generator, assets: int) -> Floats:
    weights = rng.uniform(0.1, 1.0, size=assets)
    weights[1:][rng.random(assets - 1) < 0.15] = 0.0
    weights = rng.permutation(weights)
    return weights / weights.sum()


def _draw_brackets(rng: np.random.Generator, assets: int) -> Floats:
    named = 2.0 ** (1.0 / rng.choice([4, 6, 8, 12, 20], size=assets)) - 1.0
    return np.where(rng.random(assets) < 0.5, named, rng.uniform(0.02, 0.4, size=assets))


def _draw_panel(rng: np.random.Generator, rules: Rules, length: int) -> Panel:
    assets = len(rules.brackets)
    bars = np.empty((4, length, assets))
    dividends = np.zeros((length, assets))
    for asset, bracket in enumerate(rules.brackets):
        first_price = np.exp(rng.uniform(np.log(2.0), np.log(500.0)))
        bars[:, :, asset] = first_price * np.exp(_draw_log_bars(rng, length, np.log1p(bracket)))
        # Drawn before bars go missing, so that some fall on days without a bar, and some on the first session.
        pays = rng.random(length) < rng.choice([0.0, 0.1])
        dividends[pays, asset] = rng.uniform(0.001, 0.03, size=pays.sum()) * first_price
        bars[:, _draw_missing(rng, length), asset] = np.nan
    sessions, rates, price_index = _draw_sessions(rng, length), _draw_rates(rng, length), _draw_price_index(rng, length)
    # A fall in which they buy on credit, and a crash that leaves them with less than nothing.
    if rng.random() < (0.75 if rules.margin_limit > 0.0 else 0.05):
        first, last = np.sort(rng.integers(length // 2, length, size=2))
        bars[:, first:] *= rng.uniform(0.5, 0.9)
        bars[:, last:] *= np.exp(rng.uniform(-6.0, -1.0))
    opens, highs, lows, closes = bars
    return Panel(
        tickers=tuple(f"A{number}" for number in range(assets)),
        sessions=sessions,
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        dividends=dividends,
        rates=rates,
        price_index=price_index,
    )


def _draw_sessions(rng: np.random.Generator, length: int) -> Dates:
    """Return days from any day of a year on: every day, every weekday, or, so that every period begins, many apart."""
    first = np.datetime64("2020-01-01") + rng.integers(366)
    match rng.choice(["every day", "weekdays", "apart"], p=[0.15, 0.3, 0.55]):
        case "every day":
            return first + np.arange(length)
        case "weekdays":
            return np.busday_offset(first, np.arange(length), roll="forward")
    return first + np.cumsum(rng.integers(1, 13, size=length))


def _draw_price_index(rng: np.random.Generator, length: int) -> Floats | None:
    if rng.random() < 0.3:
        return None
    return rng.uniform(50, 300) * np.cumprod(1 + rng.normal(0.003, 0.01, size=length))


def _draw_log_bars(rng: np.random.Generator, length: int, rung: float) -> Floats:
    """Return open, high, low, close as logarithms around 0, shape (4, length)."""
    if rng.random() < 0.35:
        # Whole rungs only: every price is exactly on one, as long as anchors follow the ladder.
        gaps = rung * rng.choice([-2, -1, 0, 1, 2], size=length, p=[0.05, 0.15, 0.6, 0.15, 0.05])
        moves = rung * rng.integers(-2, 3, size=length)
        wicks = rung * rng.integers(0, 3, size=(2, length))
    else:
        volatility = rng.choice([0.01, 0.04, 0.12])
        gaps = volatility * rng.choice([0.0, 0.3, 2.0], size=length) * rng.standard_normal(length)
        moves = volatility * rng.standard_normal(length)
        wicks = volatility * np.abs(rng.standard_normal((2, length)))
    # Next to a rung: near enough to touch it, or just too far.
    offsets = rng.choice([0.0, -2.3e-13, 2.3e-13, -1e-10, 1e-10], size=length, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    gaps += np.diff(offsets, prepend=0.0)
    flat = _draw_stretch(rng, length, probability=0.3)
    for steps in (gaps, moves, *wicks):
        steps[flat] = 0.0
    closes = np.cumsum(gaps + moves)
    # The open is taken from the close before, not from this one: a flat bar is then flat to the last bit.
    opens = np.concatenate(([0.0], closes[:-1])) + gaps
    closes = np.where(moves == 0, opens, closes)
    above, below = wicks
    return np.array([opens, np.maximum(opens, closes) + above, np.minimum(opens, closes) - below, closes])


def _draw_missing(rng: np.random.Generator, length: int) -> np.ndarray:
    """Return which sessions have no bar: single ones, or a stretch; never the first."""
    missing = rng.random(length) < rng.choice([0.0, 0.0, 0.15])
    missing |= _draw_stretch(rng, length, probability=0.1)
    missing[0] = False
    return missing


def _draw_stretch(rng: np.random.Generator, length: int, probability: float) -> np.ndarray:
    positions = np.arange(length)
    if rng.random() >= probability:
        return np.zeros(length, dtype=bool)
    first, last = np.sort(rng.integers(0, length, size=2))
    return (positions >= first) & (positions <= last)


def _draw_rates(rng: np.random.Generator, length: int) -> Floats:
    level, spread = [(0.0, 0.0), (0.04, 0.0), (-0.02, 0.0), (0.0, 0.03)][rng.integers(4)]
    return level + spread * rng.standard_normal(length)
