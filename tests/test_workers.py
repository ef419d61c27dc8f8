"""Who does work in chunks, as far as it needs no cluster; what does is in tests/deploy."""

import pickle
import subprocess
import sys

import pytest

from pipelines import workers
from pipelines.lab.current import current_market
from pipelines.steps.sweep import Rivals
from pipelines.warehouse.reduction import Reduction
from pipelines.workers import Build, Threads
from sd_core.errors import InputError, NotReadyError
from sd_core.market.stored import StoredPanel

HERE = Build("0123", "python 3 numba 1", "skylake +avx2")


def times(shared: int, chunk: int) -> int:
    return shared * chunk


def fails_at_two(_: int, chunk: int) -> int:
    if chunk == 2:
        raise ValueError("two")
    return chunk


def test_threads_yield_in_order_and_ask_for_few_chunks_ahead():
    asked = []
    done = Threads(2).map(times, 10, (asked.append(place) or place for place in range(100)))
    assert next(done) == 0
    assert len(asked) == 8
    assert list(done) == [10 * place for place in range(1, 100)]


def test_what_a_chunk_raises_comes_in_its_turn():
    done = Threads(2).map(fails_at_two, 0, range(4))
    assert [next(done), next(done)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(done)


def test_without_a_cluster_this_machine_works_and_ray_is_not_imported(monkeypatch):
    monkeypatch.delenv(workers.SD_WORKERS, raising=False)
    assert isinstance(workers.workers(), Threads)
    imports = "import sys, pipelines.steps.sweep, pipelines.workers as w; w.workers(); sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imports], check=False).returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "head:", ":6402", "head:port"])
def test_an_address_that_is_none_is_refused(address, monkeypatch):
    monkeypatch.setenv(workers.SD_WORKERS, address)
    with pytest.raises(InputError, match=f"SD_WORKERS={address}: expected HOST:PORT"):
        workers.workers()


def test_a_head_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    monkeypatch.setenv(workers.SD_WORKERS, "127.0.0.1:9")
    with pytest.raises(NotReadyError, match=r"SD_WORKERS=127\.0\.0\.1:9: no cluster of Ray answers: .*refused"):
        workers.workers()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (HERE._replace(code="4567"), "code 4567: expected 0123"),
        (HERE._replace(libraries="python 3 numba 2"), "python 3 numba 2: expected python 3 numba 1"),
        (HERE._replace(processor="znver3 +avx2"), "another kind of CPU, znver3: expected skylake, .* NUMBA_CPU_NAME"),
    ],
)
def test_a_worker_that_is_built_otherwise_refuses(other, said):
    with pytest.raises(InputError, match=f"the worker on .*: {said}"):
        HERE.refuse_another(other)
    HERE.refuse_another(HERE)


def test_the_build_names_what_decides_a_number():
    here = Build.here()
    assert len(here.code) == 16
    assert {"python", "numba", "llvmlite", "numpy"} <= set(here.libraries.split())
    assert here.processor


def test_what_workers_share_is_small_and_reads_the_same_panel(finished):
    study = finished.home.study
    market = current_market(study, finished.home.lake)
    prices = StoredPanel(study, market)
    shared = (prices, Rivals(study), Reduction(study, market))
    unread = pickle.dumps(shared)
    assert prices.panel.close.size
    handed = pickle.dumps(shared)
    assert len(handed) == len(unread)
    read, _, reduction = pickle.loads(handed)
    assert (read.panel.close == prices.panel.close).all()
    assert reduction.version == Reduction(study, market).version
