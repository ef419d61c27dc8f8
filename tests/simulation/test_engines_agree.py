"""Two engines written apart from the same rules book the same rows, and the rows keep the laws.

The panels and rules are drawn (``generators``) or shrunk by hypothesis. Numbers known beforehand belong in
``test_worked_examples`` and ``test_closed_forms``.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import plain_engine
import pytest
from generators import HUGE_LOT, Case, draw_case, panel_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sd_core.market.panel import Panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Kind, Rows, SimulationResult
from sd_core.simulation.rules import (
    Anchor,
    Coordination,
    Every,
    LotOrder,
    Path,
    Proceeds,
    Rules,
    Shortfall,
    Sizing,
    Variant,
)

CASES = 1_000
CHUNK = 50
RARE = 50

MONEY_TOLERANCE = 1e-6

SALES = [Kind.SELL, Kind.FUNDING_SELL]


def assert_rows_agree(compiled: Rows, plain: Rows, table: str) -> None:
    """Compare whole columns: integers exactly, numbers to a relative 1e-9, and to 1e-9 near zero."""
    assert compiled.dtype == plain.dtype
    assert plain.dtype.names is not None
    assert len(compiled) == len(plain), f"{table}: {len(compiled)} rows compiled, {len(plain)} plain"
    for column in plain.dtype.names:
        tolerance = 1e-9 if plain.dtype[column].kind == "f" else 0
        np.testing.assert_allclose(
            compiled[column], plain[column], rtol=tolerance, atol=tolerance, err_msg=f"{table}.{column}"
        )


def assert_results_agree(compiled: SimulationResult, plain: SimulationResult) -> None:
    # What traded comes first: its first difference is the cause of all others.
    for column in ("session", "leg", "kind", "asset"):
        np.testing.assert_array_equal(compiled.ledger[column], plain.ledger[column], err_msg=column)
    for table in ("ledger", "daily", "lots"):
        assert_rows_agree(getattr(compiled, table), getattr(plain, table), table)


def held_by_session(panel: Panel, ledger: Rows) -> np.ndarray:
    """Return the shares held after each session by the ledger alone, shape (sessions, assets)."""
    moves = np.zeros(panel.close.shape)
    traded = ledger[~np.isnan(ledger["quantity"])]
    np.add.at(moves, (traded["session"], traded["asset"]), traded["quantity"])
    return moves.cumsum(axis=0)


def lots_by_session(panel: Panel, lots: Rows) -> np.ndarray:
    """Return the shares in open lots after each session, shape (sessions, assets)."""
    moves = np.zeros(panel.close.shape)
    np.add.at(moves, (lots["opened"], lots["asset"]), lots["quantity"])
    sold = lots[lots["closed"] >= 0]
    np.add.at(moves, (sold["closed"], sold["asset"]), -sold["quantity"])
    return moves.cumsum(axis=0)


def dust(panel: Panel, ledger: Rows) -> np.ndarray:
    """Return what rounding may leave of each asset, in shares: holdings can be sold to the last."""
    return 1e-12 * (1 + held_by_session(panel, ledger).max(axis=0))


def last_closes(panel: Panel) -> np.ndarray:
    """Return the closes with every gap filled from before."""
    seen = np.where(np.isnan(panel.close), 0, np.arange(len(panel.close))[:, None])
    return np.take_along_axis(panel.close, np.maximum.accumulate(seen, axis=0), axis=0)


def assert_same_money(found: np.ndarray, expected: np.ndarray) -> None:
    # The relative part is for the drawn portfolios that grow beyond what doubles resolve to a millionth.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=MONEY_TOLERANCE)


def assert_bank_is_the_sum_of_the_ledger(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    ledger, daily = result.ledger, result.daily
    amounts = np.bincount(ledger["session"], weights=ledger["amount"], minlength=len(panel.sessions))
    assert_same_money(daily["bank"], rules.capital + amounts.cumsum())
    came = daily["income"] + daily["sells"] + daily["deposits"]
    went = daily["buys"] + daily["withdrawals"]
    assert_same_money(np.diff(daily["bank"], prepend=rules.capital), came - went)


def assert_money_spent_was_there(rules: Rules, result: SimulationResult) -> None:
    """Hold the bank to 0, or a rule buy to its credit, and each refusal to what was missing."""
    ledger, daily = result.ledger, result.daily
    never_on_credit = np.isin(ledger["kind"], [Kind.INITIAL_BUY, Kind.WITHDRAWAL])
    unlent = ledger if rules.margin_limit == 0 else ledger[never_on_credit]
    assert (unlent["bank_after"] >= -MONEY_TOLERANCE).all()

    credit = rules.margin_limit * daily["value"]
    bought, refused = (ledger[ledger["kind"] == kind] for kind in (Kind.BUY, Kind.SKIP_BUY))
    rounding = MONEY_TOLERANCE + 1e-12 * np.abs(daily["value"])
    before = bought["session"] - 1
    assert (bought["bank_after"] + credit[before] >= -rounding[before]).all()
    before = refused["session"] - 1
    cost = rules.fee_fixed + (1 + rules.fee_rate) * refused["skipped_quantity"] * refused["price"]
    assert (cost > refused["bank_after"] + credit[before] - rounding[before]).all()


def assert_interest_is_the_bank_times_its_rate(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    kept = result.daily["bank"][:-1]
    rates = np.where(kept < 0, rules.margin_rate, panel.rates[:-1])
    booked = result.ledger[result.ledger["kind"] == Kind.INTEREST]
    paid = np.bincount(booked["session"], weights=booked["amount"], minlength=len(panel.sessions))[1:]
    assert_same_money(paid, kept * rates * np.diff(panel.sessions).astype(int) / 365)


def assert_value_is_the_bank_and_the_holdings(panel: Panel, result: SimulationResult) -> None:
    daily, held = result.daily, held_by_session(panel, result.ledger)
    assert (held >= -dust(panel, result.ledger)).all()
    invested = (held * last_closes(panel)).sum(axis=1)
    highest = np.fmax.accumulate(panel.close, axis=0)
    assert_same_money(daily["invested"], invested)
    assert_same_money(daily["value"], daily["bank"] + invested)
    assert_same_money(daily["nav_value"], (held * highest).sum(axis=1))


def assert_lots_are_the_purchases_of_the_rule(panel: Panel, result: SimulationResult) -> None:
    ledger, lots = result.ledger, result.lots
    bought, sold = ledger[ledger["kind"] == Kind.BUY], ledger[np.isin(ledger["kind"], SALES)]
    assert (lots["quantity"] > 0).all()
    np.testing.assert_array_equal(np.unique(lots["lot"]), np.arange(1, len(bought) + 1))
    parts = np.bincount(lots["lot"], weights=lots["quantity"], minlength=len(bought) + 1)[1:]
    np.testing.assert_allclose(parts, bought["quantity"], rtol=1e-9)
    for column, entry in (("asset", "asset"), ("opened", "session"), ("price", "price"), ("premium", "premium")):
        np.testing.assert_array_equal(lots[column], bought[entry][lots["lot"] - 1], err_msg=column)
    gains = lots["quantity"] * (lots["sale_price"] - lots["price"])
    assert np.nansum(gains) == pytest.approx(sold["buyback_gain"].sum(), rel=1e-9, abs=MONEY_TOLERANCE)

    held = held_by_session(panel, ledger)
    in_lots = lots_by_session(panel, lots)
    assert (in_lots >= -1e-9 * held - dust(panel, ledger)).all()
    assert (in_lots <= held * (1 + 1e-9) + dust(panel, ledger)).all()


def assert_oldest_lots_are_sold_first(lots: Rows) -> None:
    for asset in np.unique(lots["asset"]):
        # A lot's number is its age; those still open stand last.
        assert (np.diff(lots["lot"][lots["asset"] == asset]) >= 0).all()


def assert_nothing_is_sold_below_the_highest_close(ledger: Rows) -> None:
    assert (ledger["premium"][ledger["kind"] == Kind.SELL] >= -1e-11).all()


def assert_fills_lie_in_their_bars(panel: Panel, rules: Rules, ledger: Rows) -> None:
    by_rule = ledger[np.isin(ledger["kind"], [Kind.BUY, Kind.SELL, Kind.SKIP_BUY])]
    assert (by_rule["session"] > 0).all()
    bar = (by_rule["session"], by_rule["asset"])
    assert (by_rule["price"] >= panel.low[bar] * (1 - 1e-9)).all()
    assert (by_rule["price"] <= panel.high[bar] * (1 + 1e-9)).all()
    jumps = by_rule["leg"] == 0
    first_stop = panel.close if rules.path is Path.CLOSE_ONLY else panel.open
    np.testing.assert_array_equal(by_rule["price"][jumps], first_stop[bar][jumps])


def assert_sales_settle_before_purchases(ledger: Rows) -> None:
    for kinds in _by_session_and_leg(ledger):
        sales = kinds == Kind.SELL
        assert sales[: sales.sum()].all()


def begins(panel: Panel, period: Every) -> np.ndarray:
    """Return which sessions are the first of a new month, quarter or year, by pandas' calendar."""
    if period is Every.NEVER:
        return np.zeros(len(panel.sessions), dtype=bool)
    periods = pd.DatetimeIndex(panel.sessions).to_period(period.name[0])
    return np.append(False, periods[1:] != periods[:-1])


def asked_for(ledger: Rows) -> Rows:
    """Return the rows of withdrawals, paid or not."""
    return ledger[np.isin(ledger["kind"], [Kind.WITHDRAWAL, Kind.SKIP_WITHDRAWAL])]


def dues(ledger: Rows) -> np.ndarray:
    """Return what each withdrawal was to be: what was paid and what was not."""
    asked = asked_for(ledger)
    return np.nan_to_num(asked["skipped_quantity"]) - asked["amount"]


def coverage_surplus(rules: Rules, ledger: Rows) -> np.ndarray:
    """Return by how much the proceeds exceed their minimum at each withdrawal, in the study's currency."""
    sold, bought = ledger["kind"] == Kind.SELL, ledger["kind"] == Kind.BUY
    if rules.coverage_of is Proceeds.GROSS:
        proceeds = np.where(sold, -ledger["quantity"] * ledger["price"], 0).cumsum()
    else:
        proceeds = np.where(sold | bought, ledger["amount"], 0).cumsum()
    asked = np.isin(ledger["kind"], [Kind.WITHDRAWAL, Kind.SKIP_WITHDRAWAL])
    return proceeds[asked] - rules.coverage_min * dues(ledger).cumsum()


def assert_deposits_are_those_scheduled(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    expected = np.where(begins(panel, rules.deposit_every), rules.deposit, 0.0)
    np.testing.assert_array_equal(result.daily["deposits"], expected)


def assert_each_period_pays_or_skips_what_is_due(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    ledger, daily, asked = result.ledger, result.daily, asked_for(result.ledger)
    assert (asked["amount"] <= 0).all()
    assert (daily["withdrawals"] >= 0).all()
    assert (np.diff(asked["session"]) > 0).all()
    length = len(panel.sessions)
    assert_same_money(daily["withdrawals"], np.bincount(asked["session"], weights=-asked["amount"], minlength=length))

    # Sales at the close cost the portfolio their fees alone.
    funding = ledger[ledger["kind"] == Kind.FUNDING_SELL]
    fees = np.bincount(funding["session"], weights=funding["fee"], minlength=length)
    before = daily["value"] + daily["withdrawals"] + fees
    due = np.maximum(rules.withdrawal + rules.withdrawal_share * before, 0)
    found = np.bincount(asked["session"], weights=dues(ledger), minlength=length)
    assert_same_money(found, np.where(begins(panel, rules.withdrawal_every), due, 0))


def assert_withdrawals_are_skipped_below_their_coverage(rules: Rules, ledger: Rows) -> None:
    asked, funded = asked_for(ledger), ledger["session"][ledger["kind"] == Kind.FUNDING_SELL]
    surplus = coverage_surplus(rules, ledger) if rules.coverage_min else np.full(len(asked), np.inf)
    rounding = MONEY_TOLERANCE + 1e-12 * np.abs(dues(ledger).cumsum())
    refused = asked[surplus < -rounding]
    assert (refused["kind"] == Kind.SKIP_WITHDRAWAL).all()
    assert not np.isin(refused["session"], funded).any()
    # Where coverage suffices, whatever is not paid was not there.
    cut = (surplus > rounding) & (asked["skipped_quantity"] > MONEY_TOLERANCE)
    assert (asked["bank_after"][cut] <= MONEY_TOLERANCE).all()


def assert_funding_sells_for_no_more_than_the_withdrawal(panel: Panel, rules: Rules, ledger: Rows) -> None:
    funding = ledger[ledger["kind"] == Kind.FUNDING_SELL]
    assert len(funding) == 0 or rules.shortfall is not Shortfall.NONE
    assert (funding["leg"] == 4).all()
    np.testing.assert_array_equal(funding["price"], panel.close[funding["session"], funding["asset"]])
    asked = asked_for(ledger)
    after = asked[np.isin(asked["session"], funding["session"])]
    assert len(after) == len(np.unique(funding["session"]))
    # Fees are raised for every asset, also for those whose sale turns out not to be worth one.
    assert (after["bank_after"] <= len(panel.tickers) * rules.fee_fixed + MONEY_TOLERANCE).all()


def _by_session_and_leg(ledger: Rows) -> Iterator[np.ndarray]:
    on_the_path = ledger[(ledger["leg"] >= 0) & (ledger["leg"] <= 3)]
    starts = np.flatnonzero(np.diff(on_the_path["session"] * 4 + on_the_path["leg"])) + 1
    yield from np.split(on_the_path["kind"], starts)


def assert_laws(panel: Panel, rules: Rules, result: SimulationResult) -> None:
    assert_bank_is_the_sum_of_the_ledger(panel, rules, result)
    assert_money_spent_was_there(rules, result)
    assert_interest_is_the_bank_times_its_rate(panel, rules, result)
    assert_value_is_the_bank_and_the_holdings(panel, result)
    assert_lots_are_the_purchases_of_the_rule(panel, result)
    assert_fills_lie_in_their_bars(panel, rules, result.ledger)
    assert_sales_settle_before_purchases(result.ledger)
    assert_deposits_are_those_scheduled(panel, rules, result)
    assert_each_period_pays_or_skips_what_is_due(panel, rules, result)
    assert_withdrawals_are_skipped_below_their_coverage(rules, result.ledger)
    assert_funding_sells_for_no_more_than_the_withdrawal(panel, rules, result.ledger)
    if rules.lot_order is LotOrder.FIFO:
        assert_oldest_lots_are_sold_first(result.lots)
    if rules.variant is Variant.ATH_SELL:
        assert_nothing_is_sold_below_the_highest_close(result.ledger)


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_engines_agree_on_drawn_cases_and_keep_the_laws(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = draw_case(seed)
        (compiled,) = simulate(case.panel, [case.rules])
        try:
            assert_results_agree(compiled, plain_engine.simulate(case.panel, case.rules))
            assert_laws(case.panel, case.rules, compiled)
        except AssertionError as difference:
            difference.add_note(f"draw_case({seed}): {case.rules}")
            raise


@pytest.mark.parametrize("policy", [Shortfall.OVERWEIGHT, Shortfall.PRO_RATA])
def test_withdrawal_is_only_cut_when_all_is_sold_where_all_can_be(policy):
    cases_with_a_cut = 0
    for case in map(draw_case, range(CASES)):
        if case.rules.withdrawal_every is Every.NEVER or np.isnan(case.panel.close).any():
            continue
        free = dataclasses.replace(case.rules, fee_fixed=0.0, fee_rate=0.0, coverage_min=0.0, shortfall=policy)
        rules = dataclasses.replace(free, lot_sizes=np.zeros_like(free.lot_sizes))
        (result,) = simulate(case.panel, [rules])
        asked = asked_for(result.ledger)
        cut = asked["session"][asked["skipped_quantity"] > MONEY_TOLERANCE]
        assert (held_by_session(case.panel, result.ledger)[cut] <= dust(case.panel, result.ledger)).all(), rules
        cases_with_a_cut += len(cut) > 0
    assert cases_with_a_cut >= 20


@pytest.mark.parametrize("workers", [1, 2, None])
def test_many_scenarios_at_once_come_back_in_order(workers):
    panel = draw_case(3).panel
    assets = len(panel.tickers)
    scenarios = [case.rules for case in map(draw_case, range(CASES)) if len(case.panel.tickers) == assets][:40]

    together = list(simulate(panel, scenarios, workers))
    assert len(together) == len(scenarios) == 40
    for compiled, rules in zip(together, scenarios, strict=True):
        assert_results_agree(compiled, plain_engine.simulate(panel, rules))


def traits(case: Case, result: SimulationResult) -> Iterator[str]:
    """Yield what a case covers, by name; a name may come more than once."""
    yield from _traits_of_rules(case.rules)
    yield from _traits_of_panel(case.panel)
    yield from _traits_of_rows(result)
    yield from _traits_of_flows(case.rules, result.ledger)
    if case.rules.lot_order is LotOrder.FIFO and _some_sale_takes_two_lots(result):
        yield "oldest lots first, two in one sale"
    if case.rules.variant is Variant.ATH_SELL and _full_trades_otherwise(case, result):
        yield "sell rung below the highest close"


def _traits_of_rules(rules: Rules) -> Iterator[str]:
    for member in (rules.variant, rules.sizing, rules.coordination, rules.path, rules.anchor, rules.lot_order):
        yield f"{type(member).__name__}.{member.name}"
    yield f"max_rungs {rules.max_rungs}"
    yield f"reserve {rules.reserve}"
    yield from (f"profit share {share:.0f}" for share in rules.profit_shares if share in (0, 1))
    yield from (f"lot size {size:g}" for size in rules.lot_sizes)
    yield "fixed fee" if rules.fee_fixed else "no fixed fee"
    yield "proportional fee" if rules.fee_rate else "no proportional fee"
    yield "credit" if rules.margin_limit else "no credit"
    if (rules.weights == 0).any():
        yield "weight 0"


def _traits_of_panel(panel: Panel) -> Iterator[str]:
    no_bar, pays = np.isnan(panel.close), panel.dividends > 0
    yield f"{len(panel.tickers)} assets"
    yield from (
        name
        for name, occurs in {
            "missing bar": no_bar.any(),
            "dividend without a bar": (no_bar & pays).any(),
            "dividend on the first session": pays[0].any(),
            "rate above 0": (panel.rates > 0).any(),
            "rate of 0": (panel.rates == 0).any(),
            "rate below 0": (panel.rates < 0).any(),
        }.items()
        if occurs
    )


def _traits_of_rows(result: SimulationResult) -> Iterator[str]:
    ledger, lots = result.ledger, result.lots
    yield from (Kind(kind).name for kind in ledger["kind"])
    yield from (f"{Kind(row['kind']).name} on leg {row['leg']}" for row in ledger if 0 <= row["leg"] <= 3)
    yield from (f"gain of {'some' if gain else 'none'}" for gain in ledger["buyback_gain"] if not np.isnan(gain))
    if result.daily["passed_rungs"].any():
        yield "pass"
    if (result.daily["bank"] < -MONEY_TOLERANCE).any():
        yield "bank below 0"
    if len(np.unique(lots["lot"])) < len(lots):
        yield "lot sold in parts"
    if (lots["closed"] == -1).any():
        yield "lot still open"
    for asset in np.unique(ledger["asset"]):
        kinds = ledger["kind"][(ledger["asset"] == asset) & (ledger["leg"] >= 0)]
        refused = kinds[:-1] == Kind.SKIP_BUY
        if (refused & (kinds[1:] == Kind.BUY)).any():
            yield "refused, then bought"
        if (refused & (kinds[1:] == Kind.SKIP_BUY)).any():
            yield "refused, and refused again"


def _traits_of_flows(rules: Rules, ledger: Rows) -> Iterator[str]:
    """Name the rules of deposits and withdrawals where they had an effect."""
    kinds, asked = ledger["kind"], asked_for(ledger)
    if (kinds == Kind.DEPOSIT).any():
        yield f"deposit every {rules.deposit_every.name}"
    if len(asked):
        yield f"withdrawal every {rules.withdrawal_every.name}"
        yield from (name for name in ("withdrawal", "withdrawal_share") if getattr(rules, name))
    if (kinds == Kind.FUNDING_SELL).any():
        yield f"sales as Shortfall.{rules.shortfall.name}"
    if (asked["skipped_quantity"][asked["kind"] == Kind.WITHDRAWAL] > 0).any():
        yield f"withdrawal cut under Shortfall.{rules.shortfall.name}"
    if rules.coverage_min and len(asked):
        covered = coverage_surplus(rules, ledger) >= 0
        yield from (f"Proceeds.{rules.coverage_of.name} {'enough' if enough else 'too low'}" for enough in covered)


def _some_sale_takes_two_lots(result: SimulationResult) -> bool:
    """Say whether more parts of lots than sales bear the same session, asset and price."""
    sold = result.ledger[np.isin(result.ledger["kind"], SALES)]
    sales = Counter(sold[["session", "asset", "price"]].tolist())
    parts = Counter(result.lots[["closed", "asset", "sale_price"]][result.lots["closed"] >= 0].tolist())
    return any(parts[sale] > sales[sale] for sale in parts)


def _full_trades_otherwise(case: Case, result: SimulationResult) -> bool:
    """Say whether a rung was passed for its height alone: nothing else tells the two variants apart."""
    full = plain_engine.simulate(case.panel, dataclasses.replace(case.rules, variant=Variant.FULL))
    return full.ledger["kind"].tolist() != result.ledger["kind"].tolist()


EXPECTED_TRAITS = {
    *(
        f"{kind.__name__}.{member.name}"
        for kind in (Variant, Sizing, Coordination, Path, Anchor, LotOrder)
        for member in kind
    ),
    *(f"max_rungs {bound}" for bound in (1, 2, 64)),
    *(f"reserve {reserve}" for reserve in (0.0, 0.05, 0.3, 0.6, 0.9)),
    *(f"lot size {size:g}" for size in (0, 0.01, 1, 10, HUGE_LOT)),
    *(f"{number} assets" for number in range(1, 7)),
    *(kind.name for kind in Kind),
    *(f"{kind.name} on leg {leg}" for kind in (Kind.BUY, Kind.SELL, Kind.SKIP_BUY) for leg in range(4)),
    *("profit share 0", "profit share 1", "weight 0"),
    *("fixed fee", "no fixed fee", "proportional fee", "no proportional fee"),
    *("missing bar", "dividend without a bar", "dividend on the first session"),
    *("rate above 0", "rate of 0", "rate below 0"),
    *("pass", "gain of some", "gain of none", "lot sold in parts", "lot still open"),
    *("refused, then bought", "refused, and refused again"),
    *("credit", "no credit", "bank below 0"),
    *(f"{flow} every {every.name}" for flow in ("deposit", "withdrawal") for every in list(Every)[1:]),
    *("withdrawal", "withdrawal_share"),
    *(f"sales as Shortfall.{policy.name}" for policy in list(Shortfall)[1:]),
    *(f"withdrawal cut under Shortfall.{policy.name}" for policy in Shortfall),
    *(f"Proceeds.{kind.name} {verdict}" for kind in Proceeds for verdict in ("enough", "too low")),
    *("oldest lots first, two in one sale", "sell rung below the highest close"),
}


def test_drawn_cases_cover_every_rule_and_kind(record_property: Callable[[str, object], None]) -> None:
    cases: Counter[str] = Counter()
    for seed in range(CASES):
        case = draw_case(seed)
        cases.update(set(traits(case, plain_engine.simulate(case.panel, case.rules))))

    counts = ", ".join(f"{trait} {count}" for trait, count in sorted(cases.items()))
    record_property("summary", f"engines compared on {CASES} drawn cases, among them: {counts}")
    assert set(cases) == EXPECTED_TRAITS
    assert {trait: count for trait, count in cases.items() if count < RARE} == {}


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
    )
    return Case(panel=panel, rules=draw(small_rules(assets, bracket)))


def _as_bar(rungs: list[int]) -> tuple[int, int, int, int]:
    """Order four numbers into open, high, low, close; the first two give open and close."""
    return rungs[0], max(rungs), min(rungs), rungs[1]


@st.composite
def small_rules(draw: st.DrawFn, assets: int, bracket: float) -> Rules:
    def per_asset(*values: float) -> np.ndarray:
        return np.array(draw(st.lists(st.sampled_from(values), min_size=assets, max_size=assets)))

    weights = per_asset(1.0, 3.0)
    sizing = draw(st.sampled_from(Sizing))
    lot_orders = [LotOrder.LIFO] if sizing is Sizing.SYMMETRIC else list(LotOrder)
    margin_limit = draw(st.sampled_from([0.0, 0.1, 0.5]))
    return Rules(
        capital=10_000.0,
        reserve=draw(st.sampled_from([0.0, 0.02, 0.5])),
        weights=weights / weights.sum(),
        brackets=per_asset(bracket, 2 * bracket),
        profit_shares=per_asset(0.5, 0.0, 1.0),
        lot_sizes=per_asset(0.0, 1.0, HUGE_LOT),
        fee_fixed=draw(st.sampled_from([0.0, 50.0])),
        fee_rate=draw(st.sampled_from([0.0, 0.01])),
        variant=draw(st.sampled_from(Variant)),
        sizing=sizing,
        coordination=draw(st.sampled_from(Coordination)),
        path=draw(st.sampled_from(Path)),
        anchor=draw(st.sampled_from(Anchor)),
        max_rungs=draw(st.sampled_from([64, 1, 2])),
        lot_order=draw(st.sampled_from(lot_orders)),
        margin_limit=margin_limit,
        margin_rate=draw(st.sampled_from([0.0, 0.1])) if margin_limit else 0.0,
        **draw(st.just({}) | small_deposits()),
        **draw(st.just({}) | small_withdrawals()),
    )


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
        }
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(small_cases())
def test_engines_agree_on_small_cases_and_keep_the_laws(case):
    (compiled,) = simulate(case.panel, [case.rules])
    assert_results_agree(compiled, plain_engine.simulate(case.panel, case.rules))
    assert_laws(case.panel, case.rules, compiled)
