"""What all workers of one test run have in common: compiled functions, and folders that one of them fills."""

import os
import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from numba.core.caching import NullCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

from sd_core.locks import locked


def compile_one_at_a_time() -> None:
    """Let a worker that needs a function that another compiles just now wait for it, and load it from the cache.

    Without this each worker compiles the engine at its start, on a core that another test could have had.
    """
    compile_now = Dispatcher.compile

    @wraps(compile_now)
    def compile_in_turn(function: Dispatcher, signature: Any) -> Any:
        if isinstance(function._cache, NullCache):
            return compile_now(function, signature)
        lock = Path(function._cache.cache_path, f"{function.__module__}.{function.__qualname__}.lock")
        # In this order: a thread that compiles may need another function, for which a second one already waits.
        with global_compiler_lock, locked(lock):
            return compile_now(function, signature)

    Dispatcher.compile = compile_in_turn


def filled_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder that the first worker to ask for it fills, while the others wait."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    done = folder / "done"
    with locked(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            fill(folder)
            done.touch()
    return folder
