"""Work in chunks that a test can hold in a worker, to end the worker meanwhile."""

import os
import time
from pathlib import Path

# Seconds that a held chunk waits at most.
PATIENCE = 60.0
GO = "go"


def held(folder: Path, chunk: int) -> int:
    """Note that a chunk was begun, and by which process; end when the folder has the file ``go``."""
    (folder / f"{chunk}-{os.getpid()}").touch()
    end = time.monotonic() + PATIENCE
    while not (folder / GO).exists() and time.monotonic() < end:
        time.sleep(0.05)
    return chunk


def begun(folder: Path) -> list[tuple[int, int]]:
    """Return which chunks were begun, and by which processes."""
    return [
        (int(chunk), int(process)) for chunk, _, process in (file.name.partition("-") for file in folder.glob("*-*"))
    ]
