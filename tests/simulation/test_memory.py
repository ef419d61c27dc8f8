"""Rows lie in memory that is lent: no array changes while anything looks at it, and pages serve again afterwards."""

import gc
import threading
from collections import deque

import numpy as np
import pytest
from support.generators import panel_of, rules_of

from sd_core.simulation import memory
from sd_core.simulation.engine import simulate
from sd_core.simulation.memory import Idle, lend, lend_rows

RECORD = np.dtype([("amount", np.float64), ("session", np.int32)])
ASSETS, SESSIONS, SCENARIOS = 3, 400, 200


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of what is asked of the system from here on, where nothing is idle at first."""
    sizes: list[int] = []
    map_pages = memory.mmap.mmap

    def listen(fileno: int, size: int, **options: int) -> object:
        sizes.append(size)
        return map_pages(fileno, size, **options)

    monkeypatch.setattr(memory.mmap, "mmap", listen)
    monkeypatch.setattr(memory._IDLE, "_pieces", deque(maxlen=memory.MOST_PIECES))
    return sizes


def test_memory_is_lent_again_once_nothing_looks_at_it(mapped: list[int]) -> None:
    first = lend(1000)
    part = first[10:20]
    place = first.__array_interface__["data"]
    del first
    # A part of it is still in use.
    assert lend(1000).__array_interface__["data"] != place
    del part
    assert lend(1000).__array_interface__["data"] == place
    assert mapped == [1000, 1000]


def test_idle_memory_is_bounded_in_bytes_and_in_pieces() -> None:
    few = Idle(most_bytes=1000, most_pieces=3)
    lent = [lend(400, few) for _ in range(4)]
    del lent
    assert [few.take(400) is None for _ in range(3)] == [False, False, True]
    lent = [lend(10, few) for _ in range(5)]
    del lent
    assert [few.take(10) is None for _ in range(4)] == [False, False, False, True]
    lend(1001, few)
    assert few.take(1001) is None


def test_larger_memory_takes_the_place_of_older() -> None:
    few = Idle(most_bytes=1000)
    kept = [lend(100, few) for _ in range(10)]
    del kept
    lend(500, few)
    assert few.take(500) is not None
    # Of the older ones as many are left as fit beside it.
    assert [few.take(100) is None for _ in range(6)] == [False] * 5 + [True]


def test_rows_of_several_kinds_lie_apart() -> None:
    numbers, records, none = lend_rows(((2, 3), np.dtype(np.float64)), ((1, 5), RECORD), ((4, 0), RECORD))
    numbers[:] = 1.0
    records["amount"], records["session"] = 2.0, 3
    assert numbers.tolist() == [[1.0] * 3] * 2
    assert records.tolist() == [[(2.0, 3)] * 5]
    assert none.shape == (4, 0)
    assert numbers.flags.writeable
    assert numbers.flags.aligned


def test_threads_never_share_a_piece() -> None:
    idle, failed = Idle(most_bytes=10_000), []

    def lend_often(mark: int) -> None:
        for _ in range(2_000):
            held = [lend(size, idle) for size in (64, 128, 64)]
            for one in held:
                one[:] = mark
            failed.extend(one for one in held if not (one == mark).all())

    threads = [threading.Thread(target=lend_often, args=(mark,)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.parametrize("workers", [1, 2])
def test_scenarios_share_the_pages_of_a_few_batches(mapped: list[int], workers: int) -> None:
    closes = 100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.02, (ASSETS, SESSIONS)), axis=1))
    panel = panel_of(*closes.tolist())
    rules = [rules_of(assets=ASSETS, reserve=place / 1000) for place in range(SCENARIOS)]
    gc.collect()
    kept = [(result.ledger.tobytes(), result.daily.tobytes()) for result in simulate(panel, rules, workers)]
    # At work, waiting to be taken, and being taken.
    assert len(mapped) <= 3 * workers + 1
    # Results that are kept keep their rows, whatever is simulated after them.
    held = list(simulate(panel, rules, workers))
    assert [(result.ledger.tobytes(), result.daily.tobytes()) for result in held] == kept
