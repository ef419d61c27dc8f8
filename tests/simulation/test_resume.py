"""A scenario in pieces: the engine returns its state after any session, and goes on from there.

What it books in one piece belongs in the other tests; here the pieces only have to add up to it.
"""

import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from support.generators import Case, panel_of, random_case, rules_of

from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import SimulationResult, State
from sd_core.simulation.rules import NO_SUBSTITUTE, Every, LotOrder, Order, Rules, Shortfall, Sizing, Variant, Width
from sd_core.simulation.targets import Targets

CASES = 150
# From this seed on: cases that no other test draws.
FIRST_SEED = 50_000
HISTORY = 160


def with_every_rule(case: Case, rng: np.random.Generator) -> Rules:
    """Return the rules of a random case with what portfolios do at the close, and with what looks back."""
    rules = case.rules
    changes: dict[str, Any] = {
        "variant": Variant.NO_RULE if rng.random() < 0.2 else rules.variant,
        "order": Order(rng.choice(2)),
        "rebalance_every": Every(rng.choice([Every.MONTH, Every.NEVER], p=[0.3, 0.7])),
        "rebalance_on_change": bool(rng.integers(2)),
        "deviation": float(rng.choice([math.inf, 0.05])),
        "volatility": float(rng.choice([math.inf, 0.2])),
        "volatility_window": 10,
        "band": float(rng.choice([math.inf, 0.3])),
        "band_width": Width(rng.choice(2)),
        "cash_low": float(rng.choice([0.0, 0.2])),
        "cash_high": float(rng.choice([math.inf, 0.3])),
        "candidates": tuple(int(asset) for asset in rng.permutation(len(rules.brackets))[:2]),
        "drift": float(rng.choice([math.inf, 0.3])),
        "premium_spread": float(rng.choice([math.inf, 0.1])),
        "adaptive_bracket": bool(rng.integers(2)),
        "stop": float(rng.choice([math.inf, 0.1])),
        "shortfall": Shortfall(rng.choice(4)),
        "patience": int(rng.choice([0, 3, 8])),
        "patience_mean": 4,
        "harvest_every": Every(rng.choice([Every.MONTH, Every.NEVER])),
        "harvest_loss": 0.02,
        "substitutes": (1, 0, *[NO_SUBSTITUTE] * (len(rules.brackets) - 2)) if len(rules.brackets) > 1 else (),
    }
    return dataclasses.replace(rules, **changes)


def draw(seed: int) -> Case:
    """Return the case of a seed, every second one with portfolio rules."""
    case = random_case(FIRST_SEED + seed)
    if seed % 2 == 0:
        return case
    return Case(case.panel, with_every_rule(case, np.random.default_rng(seed)))


def piece(panel: Panel, rules: Rules, state: State | None, stop: int, **options: Any) -> SimulationResult:
    (result,) = simulate(panel, [rules], states=None if state is None else [state], stop=stop, **options)
    return result


def in_pieces(case: Case, stops: list[int]) -> list[SimulationResult]:
    """Simulate up to each stop; what passes from piece to piece goes through a pickle."""
    pieces: list[SimulationResult] = []
    for stop in stops:
        state = pickle.loads(pickle.dumps(pieces[-1].state)) if pieces else None
        pieces.append(piece(case.panel, case.rules, state, stop))
    return pieces


def bytes_of(state: State | None) -> list[bytes]:
    assert state is not None
    return [np.asarray(value).tobytes() for value in state]


def assert_pieces_make_the_whole(case: Case, stops: list[int]) -> None:
    (whole,) = simulate(case.panel, [case.rules])
    pieces = in_pieces(case, stops)
    assert np.concatenate([each.ledger for each in pieces]).tobytes() == whole.ledger.tobytes()
    assert np.concatenate([each.daily for each in pieces]).tobytes() == whole.daily.tobytes()
    sold = [each.lots[each.lots["closed"] >= 0] for each in pieces]
    still_open = pieces[-1].lots[pieces[-1].lots["closed"] < 0]
    assert np.concatenate([*sold, still_open]).tobytes() == whole.lots.tobytes()
    assert bytes_of(pieces[-1].state) == bytes_of(whole.state)


@pytest.mark.parametrize("seed", range(CASES))
def test_pieces_cut_at_any_sessions_make_the_whole(seed: int) -> None:
    case = draw(seed)
    sessions = len(case.panel.sessions)
    cuts = np.random.default_rng(seed).integers(1, sessions, size=3)
    assert_pieces_make_the_whole(case, [*sorted({*cuts.tolist()} - {sessions}), sessions])


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_one_session_make_the_whole(seed: int) -> None:
    case = draw(seed)
    assert_pieces_make_the_whole(case, list(range(1, len(case.panel.sessions) + 1)))


@pytest.mark.parametrize("variant", [Variant.FULL, Variant.NO_RULE])
def test_pieces_of_one_session_make_the_whole_while_targets_change(variant: Variant) -> None:
    rng = np.random.default_rng(9)
    panel = panel_of(*(100 * np.exp(np.cumsum(rng.normal(0, 0.05, size=(3, 60)), axis=1))).tolist())
    # A row every third session, some like the one before, one twice on its way, and one that never comes.
    days = panel.sessions[0] + np.array([-5, *range(3, 60, 3), 65])
    weights = rng.dirichlet(np.ones(3), size=len(days)) * rng.choice([1.0, 0.7], size=(len(days), 1))
    weights[5:9] = weights[5]
    rules = rules_of(
        targets=Targets(days, weights), reserve=0.1, variant=variant, rebalance_on_change=True, band=0.05, bracket=0.05
    )
    assert_pieces_make_the_whole(Case(panel, rules), list(range(1, 61)))
    (whole,) = simulate(panel, [rules])
    assert np.isin(whole.ledger["kind"], [Kind.REBALANCE_SELL, Kind.REBALANCE_BUY]).sum() > 20


def test_windows_of_the_past_survive_a_cut() -> None:
    # Gaps of one and two rungs in many sessions, over more than the 90 that a bracket looks back on.
    rng = np.random.default_rng(7)
    prices = 100 * np.exp(np.cumsum(rng.choice([-0.1, 0.0, 0.1], size=(2, HISTORY), p=[0.1, 0.8, 0.1]), axis=1))
    panel = panel_of(*prices.tolist())
    rules = dataclasses.replace(
        rules_of(assets=2, reserve=0.2),
        adaptive_bracket=True,
        volatility=0.3,
        volatility_window=20,
        stop=0.05,
        cash_low=0.3,
    )
    for cut in (1, 19, 20, 90, 91, 121, HISTORY - 1):
        assert_pieces_make_the_whole(Case(panel, rules), [cut, HISTORY])
    final = piece(panel, rules, None, HISTORY).state
    assert final is not None
    assert (final.positions["bracket"] != rules.brackets).any()


def test_a_state_goes_on_over_a_panel_that_has_grown() -> None:
    case = draw(11)
    sessions = len(case.panel.sessions)
    first = sessions // 2
    start = Panel(
        tickers=case.panel.tickers,
        **{
            field.name: getattr(case.panel, field.name)[:first]
            for field in dataclasses.fields(Panel)
            if field.name not in ("tickers", "price_index")
        },
    )
    (whole,) = simulate(case.panel, [case.rules])
    before = piece(start, case.rules, None, first)
    after = piece(case.panel, case.rules, before.state, sessions)
    assert np.concatenate([before.ledger, after.ledger]).tobytes() == whole.ledger.tobytes()


@pytest.mark.parametrize("seed", range(0, CASES, 5))
def test_days_and_state_are_the_same_without_a_ledger(seed: int) -> None:
    case = draw(seed)
    sessions = len(case.panel.sessions)
    kept, bare = (piece(case.panel, case.rules, None, sessions, ledger=ledger) for ledger in (True, False))
    assert bare.daily.tobytes() == kept.daily.tobytes()
    assert bytes_of(bare.state) == bytes_of(kept.state)
    assert len(bare.ledger) == len(bare.lots) == 0


@pytest.mark.parametrize("sizing", Sizing)
def test_lots_taken_over_from_a_state_are_sold_in_their_order(sizing: Sizing) -> None:
    prices = [100.0, 90.0, 80.0, 70.0, 80.0, 90.0, 100.0, 110.0]
    rules = rules_of(reserve=0.5, sizing=sizing, lot_order=LotOrder.LIFO)
    case = Case(panel_of(prices), rules)
    assert_pieces_make_the_whole(case, [4, len(prices)])
    before, after = in_pieces(case, [4, len(prices)])
    bought = before.lots["lot"][before.lots["closed"] < 0]
    assert len(bought) >= 2
    assert after.lots["lot"][0] == bought[-1]


def test_buffers_too_short_for_a_scenario_change_nothing() -> None:
    # Many times the rows that a first try has room for.
    prices = np.where(np.arange(3_000) % 2, 100.0, 300.0)
    panel = panel_of(*[prices.tolist()] * 3)
    rules = rules_of(assets=3, bracket=0.05, reserve=0.5)
    case = Case(panel, rules)
    assert_pieces_make_the_whole(case, [1_500, 3_000])
    (whole,) = simulate(panel, [rules])
    assert len(whole.ledger) > 50_000


def test_state_of_other_assets_is_refused() -> None:
    state = piece(panel_of([100.0, 110.0]), rules_of(), None, 1).state
    with pytest.raises(ValueError, match=r"states\[0\]: expected 2 assets, was 1"):
        piece(panel_of([100.0, 110.0], [100.0, 110.0]), rules_of(assets=2), state, 2)


def test_state_beyond_the_stop_is_refused() -> None:
    panel = panel_of([100.0, 110.0, 120.0])
    state = piece(panel, rules_of(), None, 3).state
    with pytest.raises(ValueError, match=r"states\[0\]: expected at most 2 sessions behind it, was 3"):
        piece(panel, rules_of(), state, 2)


def test_state_of_rules_with_other_windows_is_refused() -> None:
    panel = panel_of([100.0, 110.0, 120.0])
    state = piece(panel, rules_of(), None, 2).state
    with pytest.raises(ValueError, match="expected windows of 0 returns and 90 gaps, was 0 and 0"):
        piece(panel, dataclasses.replace(rules_of(), adaptive_bracket=True), state, 3)


def test_states_of_another_number_of_scenarios_are_refused() -> None:
    panel = panel_of([100.0, 110.0])
    state = piece(panel, rules_of(), None, 1).state
    assert state is not None
    with pytest.raises(ValueError, match="expected one per scenario, 2, was 1"):
        list(simulate(panel, [rules_of()] * 2, states=[state]))


def test_stop_outside_the_panel_is_refused() -> None:
    with pytest.raises(ValueError, match="stop: expected 1 to 2 sessions, was 3"):
        piece(panel_of([100.0, 110.0]), rules_of(), None, 3)
