"""Who does the work of a sweep: the cores of this machine."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

Shared = TypeVar("Shared")
Chunk = TypeVar("Chunk")
Done = TypeVar("Done")

# Chunks per core, and the least and most scenarios of one.
CHUNKS_PER_CORE = 4
FEWEST, MOST = 256, 16_384


class Workers(Protocol):
    """Cores, wherever they are.

    Attributes:
        cores: how many there are.
    """

    cores: int

    def map(self, work: Callable[[Shared, Chunk], Done], shared: Shared, chunks: Sequence[Chunk]) -> Iterator[Done]:
        """Yield what a function makes of each chunk, in their order; a few wait at most."""
        ...


class Threads:
    """The cores of this machine, a thread each: compiled code holds no interpreter lock."""

    def __init__(self, cores: int | None = None) -> None:
        self.cores = cores or os.cpu_count() or 1

    def map(self, work: Callable[[Shared, Chunk], Done], shared: Shared, chunks: Sequence[Chunk]) -> Iterator[Done]:
        """Yield what a function makes of each chunk, in their order."""
        waiting: deque[Future[Done]] = deque()
        with ThreadPoolExecutor(self.cores) as pool:
            for chunk in chunks:
                waiting.append(pool.submit(work, shared, chunk))
                if len(waiting) >= CHUNKS_PER_CORE * self.cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def chunks_of(rows: int, cores: int) -> list[range]:
    """Return the chunks of so many rows: four per core, of 256 to 16,384 rows.

    >>> chunks_of(1000, 2)
    [range(0, 256), range(256, 512), range(512, 768), range(768, 1000)]
    """
    size = min(max(-(-rows // (CHUNKS_PER_CORE * cores)), FEWEST), MOST)
    return [range(first, min(first + size, rows)) for first in range(0, rows, size)]
