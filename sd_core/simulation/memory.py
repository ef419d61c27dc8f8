"""Memory for rows: lent to the results that lie in it, and lent again once no array looks at it any more.

The system clears pages that it hands out, and stops all cores for a moment where pages are given back. Results that
were copied into pages of their own took a sixth of the time of simulating them, and kept a second core from being worth
one. Memory beyond the rows of a result is never written, and so takes up no page.
"""

import mmap
from collections import deque
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.void]

# How much lies idle at most: about the batches that a few cores have under way.
MOST_BYTES, MOST_PIECES = 1 << 26, 64
# Arrays begin where a line of the cache does.
LINE = 64


class Idle:
    """Pieces of memory that no array looks at, the newest last.

    There is no lock, since a piece comes back in any thread at any moment; every step is one of a deque, and whole.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, most_pieces: int = MOST_PIECES) -> None:
        self._most = most_bytes
        self._pieces: deque[Bytes] = deque(maxlen=most_pieces)

    def take(self, size: int) -> Bytes | None:
        """Return a piece of a size, None where there is none."""
        for _ in range(len(self._pieces)):
            try:
                piece = self._pieces.pop()
            except IndexError:  # another thread has taken it
                return None
            if len(piece) == size:
                return piece
            self._pieces.appendleft(piece)
        return None

    def keep(self, piece: Bytes) -> None:
        """Keep a piece, in the place of the oldest ones where there would be too many bytes, of any sizes."""
        if len(piece) > self._most:
            return
        self._pieces.append(piece)
        # A copy, since pieces come back while one looks at them.
        while sum(map(len, self._pieces.copy())) > self._most:
            try:
                self._pieces.popleft()
            except IndexError:  # another thread has taken it
                break


class _Loan:
    """A piece on loan, kept by the arrays that look at it, since it is where numpy says that their memory is."""

    def __init__(self, piece: Bytes, idle: Idle) -> None:
        self._piece, self._idle = piece, idle
        self.__array_interface__ = piece.__array_interface__

    def __del__(self) -> None:
        self._idle.keep(self._piece)


_IDLE = Idle()


def lend(size: int, idle: Idle = _IDLE) -> Bytes:
    """Return so many bytes, at least one, of any content."""
    piece = idle.take(size)
    if piece is None:
        # By itself: numpy would ask for huge pages, of which even the rest is cleared.
        piece = np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
    return np.asarray(_Loan(piece, idle))


def lend_rows(*wanted: tuple[tuple[int, int], np.dtype]) -> list[Rows]:
    """Return arrays of records, each of a shape and a type, that lie in one piece of memory."""
    sizes = [rows * columns * dtype.itemsize for (rows, columns), dtype in wanted]
    ends = list(accumulate(-(-size // LINE) * LINE for size in sizes))
    piece = lend(max(ends[-1], LINE))
    return [
        piece[start : start + size].view(dtype).reshape(shape)
        for start, size, (shape, dtype) in zip([0, *ends], sizes, wanted, strict=False)
    ]
