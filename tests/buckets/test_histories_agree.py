"""Two engines written independently from ``docs/buckets.md`` write the same histories, and these keep the laws.

What rules make of a close follows from the marks alone, to the last bit.

The plans are drawn (``satellite_plans``). Numbers known beforehand belong in ``test_plain_satellites`` and beside the
compiled engine's own tests.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from plain_engine import Scenario, satellites
from support.generators import random_case
from support.satellite_laws import assert_laws
from support.satellite_plans import PlanCase, random_plan
from support.satellite_replay import replayed_days
from support.satellite_traits import traits

from sd_core.buckets.history.contract import History
from sd_core.buckets.history.engine import simulate
from sd_core.market.panel import Panel
from sd_core.simulation.rules import Rules
from sd_core.simulation.walk import Walk

PLANS = 200
CHUNK = 10
# Laws alone are held on so many more, a thousand in all.
MORE_PLANS = 800
MORE_CHUNK = 80
OFTEN = 100

TABLES = ("evaluations", "ledger", "daily", "events", "trades")
CORE_COLUMNS = ("core_flows", "core_values", "core_cash", "core_withdrawals")


def compiled_history(case: PlanCase) -> History:
    return simulate(case.plan, case.panel, case.signals, case.deposits, case.core())


def plain_history(case: PlanCase) -> History:
    return satellites.simulate(case.plan, case.panel, case.signals, case.deposits, case.core())


def assert_histories_agree(compiled: History, plain: History) -> None:
    """Compare whole columns: integers exactly, numbers to 1e-9, relative or of the currency, more for the rich."""
    rounding = 1e-9 + 1e-14 * plain.core_values.max()

    def compare(found: np.ndarray, expected: np.ndarray, name: str) -> None:
        is_float = expected.dtype.kind == "f"
        np.testing.assert_allclose(
            found, expected, rtol=1e-9 if is_float else 0, atol=rounding if is_float else 0, err_msg=name
        )

    for name in TABLES:
        found, expected = getattr(compiled, name), getattr(plain, name)
        assert found.dtype == expected.dtype
        assert len(found) == len(expected), f"{name}: {len(found)} rows compiled, {len(expected)} plain"
        for column in expected.dtype.names:
            compare(found[column], expected[column], f"{name}.{column}")
    for name in CORE_COLUMNS:
        compare(getattr(compiled, name), getattr(plain, name), name)


def assert_nothing_hangs_on_later_sessions(case: PlanCase, history: History) -> None:
    """Cut off the last year, or the last quarter of a plan of little more, and compare the bytes of all rows before."""
    sessions = case.panel.sessions
    a_year = int(np.searchsorted(sessions, sessions[-1] - np.timedelta64(365, "D")))
    length = a_year if a_year > len(sessions) // 4 else len(sessions) * 3 // 4
    cut = compiled_history(case.until(length))
    for name in ("ledger", "daily", "events", "evaluations"):
        rows = getattr(history, name)
        assert getattr(cut, name).tobytes() == rows[rows["session"] < length].tobytes(), name


@pytest.mark.parametrize("chunk", range(PLANS // CHUNK))
def test_histories_agree_on_drawn_plans_and_keep_the_laws(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = random_plan(seed)
        compiled = compiled_history(case)
        try:
            assert_histories_agree(compiled, plain_history(case))
            assert_laws(case, compiled)
            if seed % 4 == 0:
                assert replayed_days(case, compiled).tobytes() == compiled.daily.tobytes()
        except AssertionError as difference:
            difference.add_note(f"random_plan({seed})")
            raise


@pytest.mark.parametrize("chunk", range(MORE_PLANS // MORE_CHUNK))
def test_more_drawn_plans_keep_the_laws(chunk):
    for seed in range(PLANS + chunk * MORE_CHUNK, PLANS + (chunk + 1) * MORE_CHUNK):
        case = random_plan(seed)
        history = compiled_history(case)
        try:
            assert_laws(case, history)
            if seed % 10 == 0:
                assert_nothing_hangs_on_later_sessions(case, history)
        except AssertionError as breach:
            breach.add_note(f"random_plan({seed})")
            raise


class PlainCore:
    """A core that the plain engine simulates."""

    def __init__(self, panel: Panel, rules: Rules) -> None:
        self.scenario = Scenario(panel, rules)

    @property
    def value(self) -> float:
        return self.scenario.portfolio.last_value

    @property
    def bank(self) -> float:
        return self.scenario.portfolio.last_bank

    @property
    def withdrawn(self) -> float:
        return self.scenario.portfolio.day.withdrawals

    def advance(self, session: int, flow: float) -> float:
        self.scenario.transfers = {session: flow}
        self.scenario.run_session(session)
        return flow


def core_of(case: PlanCase, seed: int) -> tuple[Panel, Rules]:
    """Return a drawn scenario as the core of a plan: its prices over and over again, on the plan's sessions."""
    drawn = random_case(seed)
    sessions = case.panel.sessions
    again = np.arange(len(sessions)) % len(drawn.panel.sessions)
    sides = ("open", "high", "low", "close", "dividends", "rates")
    panel = replace(
        drawn.panel,
        sessions=sessions,
        price_index=None,
        **{side: getattr(drawn.panel, side)[again] for side in sides},
    )
    nothing = {"deposit": 0.0, "deposits_on": (), "margin_limit": 0.0, "indexed": False}
    return panel, replace(drawn.rules, capital=case.plan.core_capital, **nothing)


@pytest.mark.parametrize("chunk", range(3))
def test_accounts_agree_with_a_core_that_each_engine_simulates_itself(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = random_plan(seed)
        panel, rules = core_of(case, seed)
        walk, plain = Walk(panel, rules), PlainCore(panel, rules)
        try:
            found = simulate(case.plan, case.panel, case.signals, case.deposits, walk)
            expected = satellites.simulate(case.plan, case.panel, case.signals, case.deposits, plain)
            assert_histories_agree(found, expected)
            ledger, plain_ledger = walk.result().ledger, plain.scenario.portfolio.result().ledger
            np.testing.assert_array_equal(ledger["kind"], plain_ledger["kind"])
            rounding = 1e-9 + 1e-14 * expected.core_values.max()
            np.testing.assert_allclose(ledger["amount"], plain_ledger["amount"], rtol=1e-9, atol=rounding)
        except AssertionError as difference:
            difference.add_note(f"random_plan({seed}) with a core of random_case({seed})")
            raise


def test_drawn_plans_show_every_rule_a_hundred_times(record_property):
    seen = Counter()
    for case in map(random_plan, range(PLANS)):
        seen.update(traits(case, compiled_history(case)))
    rare = {name: count for name, count in sorted(seen.items()) if count < OFTEN}
    record_property("summary", f"rarest of {len(seen)} traits: {min(seen.values())} times in {PLANS} plans")
    assert not rare
