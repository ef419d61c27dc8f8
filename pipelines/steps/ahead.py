"""Derived datasets made by a second process while this one simulates: neither reads what the other leaves.

Fits spend half of their time in Python, whose lock lets only one of two threads of a process go on. The second process
begins before there are prices, so that it has imported what it needs once they are there.
"""

import contextlib
import datetime as dt
import multiprocessing as mp
import os
import signal
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from pipelines.lab.current import partitions_of
from pipelines.steps.datasets import SIDE_BY_SIDE
from pipelines.steps.derived import make_all
from sd_core.lake import Lake, Version
from sd_core.processes import collect_seldom, work_for_parent
from sd_core.study.model import Study

# From so long a period on, fits take longer than a process takes to begin.
WORTH_A_PROCESS = dt.timedelta(days=3650)

Made = Mapping[str, Mapping[str, Version]]


class Ahead:
    """A second process that makes the datasets which are made side by side, once it is asked to."""

    def __init__(self) -> None:
        spawn = mp.get_context("spawn")
        self._here, there = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(there,))
        # That Ctrl-C waits is inherited, so it never reaches the process, not even as it begins. Python's tracker of
        # resources, which is started with the first process, would undo that.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        there.close()
        self._asked = False

    def begin(self, study: Study, lake: Lake, *, fresh: bool) -> None:
        """Ask for the outdated parts of the datasets, or for all of them; the market must be there."""
        with contextlib.suppress(ConnectionError):  # it was killed
            self._here.send((study, lake, fresh))
            self._asked = True

    def made(self) -> Made:
        """Return what it made, by the names of datasets and the keys of parts, when all is done.

        That is nothing where it was not asked, or was killed.

        Raises:
            Exception: as :meth:`Derived.make` does, if that failed.
        """
        if not self._asked:
            return {}
        self._asked = False
        try:
            found: Made | Exception = self._here.recv()
        except (EOFError, ConnectionError):
            return {}
        if isinstance(found, Exception):
            raise found
        return found

    def end(self) -> None:
        """End the process, whatever it is at; what it stores is whole or absent."""
        self._process.kill()
        self._process.join()


@contextlib.contextmanager
def making_ahead(study: Study) -> Iterator[Ahead | None]:
    """Have a second process make datasets for a while; None where it would not be worth its beginning.

    It is asked where scenarios are simulated that keep rows, so a study that only sweeps has no need of it.
    """
    period = (study.end or dt.datetime.now(dt.UTC).date()) - study.start
    if (os.cpu_count() or 1) < 2 or period < WORTH_A_PROCESS or not partitions_of(study):
        yield None
        return
    ahead = Ahead()
    try:
        yield ahead
    finally:
        ahead.end()


def _work(connection: Connection) -> None:
    """Import what fits need, then make what the other process asks for."""
    work_for_parent()
    collect_seldom()
    import scipy.optimize  # noqa: F401  # imported by the first fit, and slow to

    import pipelines.steps.fit
    import pipelines.steps.resample  # noqa: F401
    from pipelines.warehouse.models import own_models

    own_models()
    study, lake, fresh = connection.recv()
    try:
        connection.send(_made(study, lake, fresh=fresh))
    except Exception as error:
        connection.send(error)


def _made(study: Study, lake: Lake, *, fresh: bool) -> Made:
    wanted = [(one, one.to_make(study, lake, fresh=fresh)) for one in SIDE_BY_SIDE]
    return {one.name: made for one, made in make_all([(one, keys) for one, keys in wanted if keys], study, lake)}
