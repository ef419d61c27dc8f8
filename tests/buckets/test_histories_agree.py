"""Two engines written independently from ``docs/buckets.md`` write the same histories, and these keep the laws.

What rules make of a close follows from the marks alone, to the last bit.

The plans are drawn (``satellite_plans``). Numbers known beforehand belong in ``test_plain_satellites`` and beside the
compiled engine's own tests.
"""

from collections import Counter

import numpy as np
import pytest
from plain_engine import satellites
from support.satellite_laws import assert_laws
from support.satellite_plans import PlanCase, random_plan
from support.satellite_replay import replayed_days
from support.satellite_traits import traits

from sd_core.buckets.history.contract import History
from sd_core.buckets.history.engine import simulate

PLANS = 200
CHUNK = 10
LAWFUL_PLANS = 1_000
LAWFUL_CHUNK = 100
OFTEN = 100

TABLES = ("evaluations", "ledger", "daily", "events", "trades")
CORE_COLUMNS = ("core_flows", "core_values", "core_cash", "core_withdrawals")


def compiled_history(case: PlanCase) -> History:
    return simulate(case.plan, case.panel, case.signals, case.deposits, case.core())


def plain_history(case: PlanCase) -> History:
    return satellites.simulate(case.plan, case.panel, case.signals, case.deposits, case.core())


def assert_histories_agree(compiled: History, plain: History) -> None:
    """Compare whole columns: integers exactly, numbers to 1e-9, relative or in the currency."""
    for name in TABLES:
        found, expected = getattr(compiled, name), getattr(plain, name)
        assert found.dtype == expected.dtype
        assert len(found) == len(expected), f"{name}: {len(found)} rows compiled, {len(expected)} plain"
        for column in expected.dtype.names:
            tolerance = 1e-9 if expected.dtype[column].kind == "f" else 0
            np.testing.assert_allclose(
                found[column], expected[column], rtol=tolerance, atol=tolerance, err_msg=f"{name}.{column}"
            )
    for name in CORE_COLUMNS:
        np.testing.assert_allclose(getattr(compiled, name), getattr(plain, name), rtol=1e-9, atol=1e-9, err_msg=name)


def assert_nothing_hangs_on_later_sessions(case: PlanCase, history: History) -> None:
    """Cut off the last quarter, in most plans a year or more, and compare the bytes of all rows before."""
    length = len(case.panel.sessions) * 3 // 4
    cut = compiled_history(case.until(length))
    for name in ("ledger", "daily", "events", "evaluations"):
        rows = getattr(history, name)
        assert getattr(cut, name).tobytes() == rows[rows["session"] < length].tobytes(), name


@pytest.mark.parametrize("chunk", range(PLANS // CHUNK))
def test_histories_agree_on_drawn_plans(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = random_plan(seed)
        compiled = compiled_history(case)
        try:
            assert_histories_agree(compiled, plain_history(case))
            if seed % 4 == 0:
                assert replayed_days(case, compiled).tobytes() == compiled.daily.tobytes()
        except AssertionError as difference:
            difference.add_note(f"random_plan({seed})")
            raise


@pytest.mark.parametrize("chunk", range(LAWFUL_PLANS // LAWFUL_CHUNK))
def test_laws_hold_on_a_thousand_drawn_plans(chunk):
    for seed in range(chunk * LAWFUL_CHUNK, (chunk + 1) * LAWFUL_CHUNK):
        case = random_plan(seed)
        history = compiled_history(case)
        try:
            assert_laws(case, history)
            if seed % 10 == 0:
                assert_nothing_hangs_on_later_sessions(case, history)
        except AssertionError as breach:
            breach.add_note(f"random_plan({seed})")
            raise


def test_drawn_plans_show_every_rule_a_hundred_times(record_property):
    seen = Counter()
    for case in map(random_plan, range(PLANS)):
        seen.update(traits(case, compiled_history(case)))
    rare = {name: count for name, count in sorted(seen.items()) if count < OFTEN}
    record_property("summary", f"rarest of {len(seen)} traits: {min(seen.values())} times in {PLANS} plans")
    assert not rare
