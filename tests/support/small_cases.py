"""Few assets, few sessions, prices on or halfway between rungs: drawn by hypothesis, so that what fails shrinks."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from sd_core.market.panel import Panel
from sd_core.simulation.rules import (
    NO_SUBSTITUTE,
    Anchor,
    Every,
    LotOrder,
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
from support.generators import HUGE_LOT, Case, panel_of

PERIODS = st.sampled_from([Every.MONTH, Every.QUARTER, Every.YEAR])


@st.composite
def small_cases(draw: st.DrawFn) -> Case:
    """Few assets, few sessions, prices on or halfway between rungs: what is left after shrinking can be read."""
    assets = draw(st.integers(1, 3))
    length = draw(st.integers(2, 8))
    bracket = draw(st.sampled_from([0.1, 2 ** (1 / 8) - 1]))
    half_rungs = st.integers(-6, 6)
    bar = st.lists(half_rungs, min_size=4, max_size=4).map(_as_bar)
    missing = st.just((np.nan,) * 4)
    prices = []
    for _ in range(assets):
        later = draw(st.lists(bar | missing, min_size=length - 1, max_size=length - 1))
        prices.append([(0, 0, 0, 0), *later])
    amounts = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=length * assets, max_size=length * assets))
    logs = np.array(prices) * np.log1p(bracket) / 2
    panel = panel_of(
        *(100 * np.exp(logs)).tolist(),
        dividends=np.array(amounts).reshape(length, assets),
        rates=draw(st.sampled_from([0.0, 0.1, -0.1])),
        # A day, a month and four months: every session begins the shorter periods, some the longer ones.
        sessions=np.datetime64("2020-01-01") + draw(st.sampled_from([1, 31, 122])) * np.arange(length),
        price_index=draw(st.none() | st.lists(st.sampled_from([1.0, 1.5]), min_size=length, max_size=length)),
    )
    return Case(panel=panel, rules=draw(small_rules(panel, bracket)))


def _as_bar(rungs: list[int]) -> tuple[int, int, int, int]:
    """Order four numbers into open, high, low, close; the first two give open and close."""
    return rungs[0], max(rungs), min(rungs), rungs[1]


@st.composite
def small_rules(draw: st.DrawFn, panel: Panel, bracket: float) -> Rules:
    assets = len(panel.tickers)

    def per_asset(*values: float) -> np.ndarray:
        return np.array(draw(st.lists(st.sampled_from(values), min_size=assets, max_size=assets)))

    sizing = draw(st.sampled_from(Sizing))
    lot_orders = [LotOrder.LIFO] if sizing is Sizing.SYMMETRIC else list(LotOrder)
    margin_limit = draw(st.sampled_from([0.0, 0.1, 0.5]))
    variant = draw(st.sampled_from(Variant))
    return Rules(
        capital=10_000.0,
        reserve=draw(st.sampled_from([0.0, 0.02, 0.5])),
        targets=draw(small_targets(panel)),
        brackets=per_asset(bracket, 2 * bracket),
        profit_shares=per_asset(0.5, 0.0, 1.0),
        lot_sizes=per_asset(0.0, 1.0, HUGE_LOT),
        fee_fixed=draw(st.sampled_from([0.0, 50.0])),
        fee_rate=draw(st.sampled_from([0.0, 0.01])),
        variant=variant,
        sizing=sizing,
        order=draw(st.sampled_from(Order)),
        path=draw(st.sampled_from(Path)),
        anchor=draw(st.sampled_from(Anchor)),
        max_rungs=draw(st.sampled_from([64, 1, 2])),
        lot_order=draw(st.sampled_from(lot_orders)),
        margin_limit=margin_limit,
        margin_rate=draw(st.sampled_from([0.0, 0.1])) if margin_limit else 0.0,
        **draw(st.just({}) | small_deposits()),
        **draw(st.just({}) | small_withdrawals()),
        **draw(small_triggers()),
        **draw(st.just({}) | small_bands(assets)),
        **draw(small_portfolio_rules(assets)),
        **({} if variant is Variant.NO_RULE else draw(small_restraints())),
    )


@st.composite
def small_targets(draw: st.DrawFn, panel: Panel) -> Targets:
    """Few rows of simple shares, on sessions and on days beside them."""
    days = st.sampled_from(panel.sessions.tolist()).map(np.datetime64)
    beside = st.sampled_from([0, -1, 1])
    dates = {day + draw(beside) for day in draw(st.lists(days, max_size=3))} | {panel.sessions[0] - 1}
    sums = st.sampled_from([1.0, 0.5])
    shares = st.lists(st.sampled_from([1.0, 3.0]), min_size=len(panel.tickers), max_size=len(panel.tickers))
    rows = [np.array(draw(shares)) for _ in dates]
    return Targets(np.array(sorted(dates), "M8[D]"), np.array([row / row.sum() * draw(sums) for row in rows]))


def small_deposits() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"deposit": st.just(1_000.0), "deposit_every": PERIODS})


def small_withdrawals() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "withdrawal": st.sampled_from([3_000.0, 100.0, 30_000.0]),
            "withdrawal_share": st.sampled_from([0.0, 0.3]),
            "withdrawal_every": PERIODS,
            "coverage_min": st.sampled_from([0.0, 0.3]),
            "coverage_of": st.sampled_from(Proceeds),
            "shortfall": st.sampled_from(Shortfall),
            "indexed": st.booleans(),
        }
    )


WIDTHS = st.sampled_from([0.03, 0.2])


def small_triggers() -> st.SearchStrategy[dict[str, Any]]:
    return _any_of(
        st.fixed_dictionaries({"rebalance_on_change": st.just(True)}),
        st.fixed_dictionaries({"rebalance_every": PERIODS}),
        st.fixed_dictionaries({"deviation": WIDTHS, "deviation_width": st.sampled_from(Width)}),
        st.fixed_dictionaries({"volatility": st.just(0.3), "volatility_window": st.integers(2, 4)}),
        st.fixed_dictionaries({"patience": st.sampled_from([1, 3]), "patience_mean": st.integers(2, 3)}),
    )


def small_bands(assets: int) -> st.SearchStrategy[dict[str, Any]]:
    """Bands around targets, bands of assets' own, or both."""
    own = st.sampled_from([(np.nan, np.nan), (0.1, 0.3), (0.5, 0.9)])
    edges = st.lists(own, min_size=assets, max_size=assets).map(np.array)
    return _any_of(
        st.fixed_dictionaries({"band": WIDTHS, "band_width": st.sampled_from(Width)}),
        st.fixed_dictionaries({"band_edges": edges}),
    )


def small_portfolio_rules(assets: int) -> st.SearchStrategy[dict[str, Any]]:
    candidates = st.lists(st.integers(0, assets - 1), unique=True).map(tuple)
    return _any_of(
        st.fixed_dictionaries({"min_trade": st.just(300.0), "max_cost": st.sampled_from([0.02, 1.0])}),
        st.fixed_dictionaries({"cash_high": st.sampled_from([0.0, 0.3]), "candidates": candidates}),
        st.fixed_dictionaries({"drift": st.sampled_from([0.02, 0.2])}),
        st.fixed_dictionaries({"premium_spread": st.sampled_from([0.02, 0.2])}),
        st.fixed_dictionaries(
            {
                "harvest_every": PERIODS,
                "harvest_loss": st.sampled_from([0.03, 0.2]),
                "harvest_min": st.sampled_from([0.0, 500.0]),
                "substitutes": st.just(()) if assets == 1 else st.just((1, 0, NO_SUBSTITUTE)[:assets]),
            }
        ),
    )


def small_restraints() -> st.SearchStrategy[dict[str, Any]]:
    return _any_of(
        st.fixed_dictionaries({"cash_low": st.sampled_from([0.1, 1.0])}),
        st.fixed_dictionaries({"stop": st.sampled_from([0.02, 0.1])}),
    )


def _any_of(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return none, some or all of some rules."""
    chosen = st.tuples(*(st.just({}) | part for part in parts))
    return chosen.map(lambda dictionaries: {key: value for part in dictionaries for key, value in part.items()})
