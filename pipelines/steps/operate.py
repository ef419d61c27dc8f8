"""The ledger of a study's account: where it is, and what it accounts in.

What is booked in it belongs in ``sd_core.buckets.ledger``.
"""

from pipelines.lab.home import StudyHome
from pipelines.steps.books import place_of
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.store import Store


def open_ledger(home: StudyHome) -> Ledger:
    """Return the ledger that a study names: in ``SD_LEDGER``'s PostgreSQL, else a file below the home.

    Raises:
        InputError: ``SD_LEDGER`` is no address of PostgreSQL, or its driver is missing.
    """
    return Ledger(Store(*place_of(home.study, home.lake)), home.study.currency)
