"""The ledger of a study's account: where it is, and what it accounts in.

What is booked in it belongs in ``sd_core.buckets.ledger``.
"""

import os

from pipelines.lab.home import StudyHome
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.store import Store


def open_ledger(home: StudyHome) -> Ledger:
    """Return the ledger that a study names: in ``SD_LEDGER``'s PostgreSQL, else a file below the home.

    Raises:
        InputError: ``SD_LEDGER`` is no address of PostgreSQL, or its driver is missing.
    """
    store = Store(home.study.ledger, home.root / "ledgers", os.environ.get("SD_LEDGER") or None)
    return Ledger(store, home.study.currency)
