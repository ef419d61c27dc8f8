"""Processes that work for another one of ours: Ctrl-C is left to that, and they end with it."""

import gc
import multiprocessing as mp
import os
import signal
import threading

# How many objects are made before garbage is looked for: thousands of classes and functions are imported, and Python's
# own 700 would have all of them looked at again and again, a tenth of a command's time.
NEW_OBJECTS = 100_000


def collect_seldom() -> None:
    """Let Python look for garbage once in a while."""
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])


def work_for_parent() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = mp.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
