"""Scenarios of a panel run side by side, a piece of it at a time: each books what it books alone, to the last byte."""

import threading
from typing import Any

import numpy as np
import pytest
from support.generators import panel_of, random_case, rules_of

from sd_core.simulation import engine
from sd_core.simulation.engine import simulate
from sd_core.simulation.layout import Batch
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Rules

# Longer than what the engine runs over in one go.
SESSIONS = 3_000
ASSETS = 3
CUT = 1_100

RNG = np.random.default_rng(31)
PANEL = panel_of(*(100.0 * np.exp(np.cumsum(RNG.normal(0.0, 0.02, (ASSETS, SESSIONS)), axis=1))).tolist())


def random_rules() -> list[Rules]:
    """Return rules of every kind, those of portfolios between the plain ones."""
    cases = (random_case(seed) for seed in range(400))
    return [case.rules for case in cases if len(case.rules.brackets) == ASSETS]


def everything(result: SimulationResult) -> list[bytes]:
    assert result.state is not None
    rows = (result.ledger, result.daily, result.lots)
    return [np.asarray(each).tobytes() for each in (*rows, *result.state)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_scenarios_side_by_side_book_what_each_books_alone(workers: int) -> None:
    rules = random_rules()
    assert len(rules) > 50
    together = simulate(PANEL, rules, workers)
    for found, chosen in zip(together, rules, strict=True):
        (alone,) = simulate(PANEL, [chosen])
        assert everything(found) == everything(alone), chosen


def test_scenarios_side_by_side_go_on_from_their_states() -> None:
    rules = random_rules()
    before = list(simulate(PANEL, rules, stop=CUT))
    after = simulate(PANEL, rules, states=[each.state for each in before if each.state])
    for first, second, whole in zip(before, after, simulate(PANEL, rules), strict=True):
        assert np.concatenate([first.ledger, second.ledger]).tobytes() == whole.ledger.tobytes()
        assert np.concatenate([first.daily, second.daily]).tobytes() == whole.daily.tobytes()
        assert everything(second)[3:] == everything(whole)[3:]


def test_scenarios_from_different_sessions_go_on_each_from_its_own() -> None:
    rules = [rules_of(assets=ASSETS, reserve=reserve) for reserve in (0.0, 0.1, 0.2, 0.3)]
    stops = [CUT, CUT, CUT + 1, CUT]
    states = [next(simulate(PANEL, [each], stop=stop)).state for each, stop in zip(rules, stops, strict=True)]
    after = simulate(PANEL, rules, states=[state for state in states if state])
    for found, whole, stop in zip(after, simulate(PANEL, rules), stops, strict=True):
        assert found.daily.tobytes() == whole.daily[stop:].tobytes()


def test_one_scenario_with_more_rows_than_the_buffers_changes_no_other() -> None:
    quiet = [rules_of(assets=ASSETS, reserve=reserve) for reserve in (0.1, 0.2, 0.3)]
    rules = [quiet[0], rules_of(assets=ASSETS, bracket=0.002, reserve=0.5), *quiet[1:]]
    found = list(simulate(PANEL, rules, 1))
    assert len(found[1].ledger) > 50_000
    for each, chosen in zip(found, rules, strict=True):
        assert everything(each) == everything(next(simulate(PANEL, [chosen])))


def test_more_open_lots_than_the_buffers_hold_leave_the_next_scenario_alone() -> None:
    # A fall by 0.2 % a rung opens a lot at each of some 6 900; at 5 % a rung there are few.
    prices = 1e6 * np.exp(np.linspace(0.0, -14.0, 250))
    panel = panel_of(prices.tolist())
    rules = [rules_of(bracket=bracket, reserve=0.9) for bracket in (0.05, 0.002)]
    few, many = (next(simulate(panel, [each], stop=240)).state for each in rules)
    assert few is not None
    assert many is not None
    assert 0 < len(few.lots) < 1_000
    assert len(many.lots) > 5_000
    together = simulate(panel, rules, 1, states=[few, many])
    for found, chosen, state in zip(together, rules, (few, many), strict=True):
        assert everything(found) == everything(next(simulate(panel, [chosen], states=[state])))


@pytest.fixture
def many_rules() -> list[Rules]:
    return [rules_of(assets=1, reserve=place / 1000) for place in range(100)]


def test_the_thread_that_asks_works_beside_one_thread_less(
    many_rules: list[Rules], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[threading.Thread] = []
    asking_works = threading.Event()

    def listen(*given: Any) -> list[SimulationResult]:
        at_work.append(threading.current_thread())
        if threading.current_thread() is threading.main_thread():
            asking_works.set()
        assert asking_works.wait(60)
        return simulate_batch(*given)

    simulate_batch = engine._simulate
    monkeypatch.setattr(engine, "_simulate", listen)
    found = [result.daily["bank"][0] for result in simulate(panel_of([100.0, 101.0]), many_rules, workers=3)]
    # The first purchase spends everything but the reserve.
    assert found == pytest.approx([rules.capital * rules.reserve for rules in many_rules])
    assert len(set(at_work)) <= 3


def test_a_batch_that_fails_is_raised_after_the_results_before_it(
    many_rules: list[Rules], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(market: Any, batch: Batch, *others: Any) -> list[SimulationResult]:
        if batch.rules[0].reserve > 0.05:
            raise MemoryError("no room")
        return simulate_batch(market, batch, *others)

    simulate_batch = engine._simulate
    monkeypatch.setattr(engine, "_simulate", fail)
    found = []
    with pytest.raises(MemoryError, match="no room"):
        found.extend(result for result in simulate(panel_of([100.0, 101.0]), many_rules, workers=2))
    assert len(found) == 56  # seven batches of eight
    assert not any("ThreadPool" in one.name for one in threading.enumerate())


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("scenarios", [1, 2, 15, 100])
def test_batches_shrink_towards_the_end(workers: int, scenarios: int, many_rules: list[Rules]) -> None:
    rules = many_rules[:scenarios]
    batches = [batch.rules for batch in engine._batches(rules, [None] * scenarios, 8, workers)]
    assert [one for batch in batches for one in batch] == rules
    rest = scenarios
    for batch in batches:
        assert len(batch) == min(8, -(-rest // workers))
        rest -= len(batch)
