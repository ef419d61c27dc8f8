"""Processes that end with the one that started them, even where that is killed: a pipe between them is closed then.

Started as a program it runs another module so: ``python -m pipelines.orchestration.lifeline PIPE MODULE ARGUMENT …``.
"""

import os
import runpy
import signal
import sys
import time
from threading import Thread

# How long what is under way may take to end after Ctrl-C.
PATIENCE_SECONDS = 60


def end_with(pipe: int, patience: float = PATIENCE_SECONDS) -> None:
    """Interrupt this process once the other end of a pipe is closed, which happens however its holder ends.

    Args:
        pipe: the file descriptor of the reading end; nothing is ever written.
        patience: how many seconds what is under way may take to end. Then all processes of its group are killed.
    """

    def wait() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(patience)
        os.killpg(0, signal.SIGKILL)

    Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
