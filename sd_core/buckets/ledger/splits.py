"""The split of deposits and what is harvested, in quanta: the pure rules asked about a book as it is now."""

import numpy as np

from sd_core.buckets import deposits, rules
from sd_core.buckets.ledger.marked import at_last_mark, day_of_date
from sd_core.buckets.ledger.state import State
from sd_core.study.satellites import LIVE


def split_deposit(state: State, quanta: int) -> dict[str, int]:
    """Return what each satellite gets of a deposit in the base currency; the rest is the core's.

    Eligible are satellites that accumulate, are active, or hibernate for their share.
    """
    base = state.base
    satellites = [bucket.bucket for bucket in state.buckets.values() if bucket.kind == "satellite"]
    if not satellites:
        return {}
    parts = deposits.split_deposit(
        float(base.decimal(quanta)),
        float(base.decimal(state.total)),
        float(state.fraction(LIVE, "budget")),
        np.array([float(base.decimal(state.values[name])) for name in satellites]),
        np.array([float(state.fraction(name, "target")) for name in satellites]),
        np.array([is_fed(state, name) for name in satellites]),
        10**base.minor_digits,
    )
    whole = {
        name: round(part * 10**base.minor_digits) * base.minor for name, part in zip(satellites, parts, strict=True)
    }
    return {name: part for name, part in whole.items() if part}


def harvest_of(state: State, bucket: str) -> int:
    """Return what a satellite hands to the core, in quanta of the base currency; its line defaults to its target."""
    base = state.base
    line = state.setting(bucket, "harvest_line") or state.setting(bucket, "target")
    amount: float = deposits.harvest_of(
        float(base.decimal(state.values[bucket])),
        float(base.decimal(state.total)),
        float(line),
        float(base.decimal(state.free(bucket, base.unit))),
        10**base.minor_digits,
    )
    return int(round(amount * 10**base.minor_digits) * base.minor)


def is_fed(state: State, bucket: str) -> bool:
    """Return whether deposits reach a satellite: it accumulates, is active, or hibernates for its share alone."""
    status = state.buckets[bucket].status
    if status != "hibernating":
        return status in {"accumulating", "active"}
    last = at_last_mark(state, bucket)
    if last is None:
        return False
    floor = rules.floor_of(float(state.fraction(bucket, "target")), float(state.fraction(bucket, "min_pct")))
    day = day_of_date(last.session)
    return rules.sleeps_for_share(last.day.drawdown, last.day.share, floor, last.memory.failed_on, day)
