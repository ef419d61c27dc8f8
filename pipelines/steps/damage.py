"""Damaged files of the lake: what can be computed is discarded, to be computed again; of the rest, what is lost.

Damage is found when a file is read, see :mod:`sd_core.lake`.
"""

from collections.abc import Iterator

from pipelines.lab.current import FETCHES, MARKET, PAPER, SIMULATIONS
from pipelines.lab.publication import PUBLICATION
from pipelines.steps.datasets import DERIVED
from sd_core.errors import DamagedError, InputError
from sd_core.lake import Lake, Version
from sd_core.market.sources.states import HOURLY_BARS, RAW_PRICES
from sd_core.schemas.sweeps import SWEEPS

COMPUTED = (MARKET, SIMULATIONS, *(one.name for one in DERIVED))


def discard_damaged(lake: Lake) -> list[str]:
    """Discard every damaged part of a lake that can be computed again; return their names, such as ``market``.

    Raises:
        InputError: what a source delivered is damaged; the message says what is lost. Nothing of it is removed.
    """
    lost = [finding for dataset in (RAW_PRICES, HOURLY_BARS, FETCHES) for finding in _lost(lake, dataset)]
    lost += [
        f"{lake.place(PAPER, key)}: damaged: a decision that was frozen: expected the bytes that were written; it "
        "cannot be decided again: remove this folder to go on without it"
        for key, _ in _damaged(lake, PAPER)
    ]
    if lost:
        raise InputError("\n".join(lost))
    computed = [(lake, dataset) for dataset in COMPUTED] + [(lake.here, PUBLICATION)]
    damaged = [(of, dataset, key) for of, dataset in computed for key, _ in _damaged(of, dataset)]
    for of, dataset, key in damaged:
        of.discard(dataset, key)
    segments = list(_damaged_segments(lake))
    lake.remove_damaged(SWEEPS, segments)
    found = [*((dataset, key) for _, dataset, key in damaged), *((SWEEPS, name) for name in segments)]
    return ["/".join(filter(None, names)) for names in found]


def _damaged_segments(lake: Lake) -> Iterator[str]:
    """Yield the names of damaged segments of sweeps."""
    for name in lake.segments(SWEEPS):
        try:
            lake.read_segment(SWEEPS, name, ())
        except DamagedError:
            yield name


def _damaged(lake: Lake, dataset: str) -> Iterator[tuple[str, Version | None]]:
    """Yield the keys of damaged partitions, with what their pointers name where these are whole."""
    for key in lake.keys(dataset):
        version = None
        try:
            version = lake.current(dataset, key)
            if version is not None:
                version.verify()
        except DamagedError:
            yield key, version


def _lost(lake: Lake, dataset: str) -> Iterator[str]:
    """Yield, of each damaged partition of a dataset that sources delivered, what is in it and how it is replaced."""
    for key, version in _damaged(lake, dataset):
        folder = lake.place(dataset, key)
        facts = version.facts if version else {}
        held = (
            f"bars of {facts['first']} to {facts['last']} that {facts['source']} delivered"
            if "first" in facts
            else "what sources delivered"
        )
        kept = f", which has {len(version.kept)} earlier versions as well" if version and version.kept else ""
        yield (
            f"{folder}: damaged: {held}: expected the bytes that were written; to fetch it again, remove this folder"
            f"{kept}, and run: dates that the source does not have any more are lost"
        )
