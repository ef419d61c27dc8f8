"""A lake that an earlier release wrote, made one of this release.

What sources delivered, what was frozen and what was tried stay; what was computed is computed again by the run that
follows. The ledger's own migrations belong in ``sd_core.buckets.ledger``.
"""

from pipelines.lab.current import FETCHES, PAPER
from pipelines.lab.publication import PUBLICATION
from pipelines.lab.trials import TRIALS
from pipelines.steps.damage import COMPUTED
from sd_core.lake import LAYOUT, Lake
from sd_core.market.sources.states import HOURLY_BARS, RAW_PRICES

KEPT = (RAW_PRICES, HOURLY_BARS, FETCHES, PAPER, TRIALS)


def upgrade(lake: Lake) -> bool:
    """Upgrade a lake of an older layout; return whether there was anything to do.

    The layout is noted last: an upgrade that was killed is done again.

    Raises:
        DamagedError: a pointer is not one that was written.
        InputError: a newer release wrote the lake.
    """
    if lake.layout in (None, LAYOUT):
        return False
    for dataset in KEPT:
        for key in lake.keys(dataset):
            lake.seal(dataset, key)
    for dataset in COMPUTED:
        for key in lake.keys(dataset):
            lake.discard(dataset, key)
    lake.here.discard(PUBLICATION)
    lake.note_layout()
    return True
