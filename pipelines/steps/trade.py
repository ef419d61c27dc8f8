"""The account at its broker: what the ledger of a study asks of it, with the keys of this machine's environment.

What is booked belongs in ``sd_core.buckets.trading``, where the ledger is in ``operate``.
"""

import os

from sd_core.broker.protocol import Broker
from sd_core.broker.registry import open_broker
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.trading.feed import Fed, reconcile
from sd_core.study.satellites import LIVE


def broker_of(ledger: Ledger) -> Broker:
    """Return the broker that the account's setting names.

    Raises:
        InputError: it names none, or what that needs is missing.
    """
    with ledger.state() as state:
        name = state.setting(LIVE, "broker")
    return open_broker(name, os.environ)


def reconcile_with_broker(ledger: Ledger) -> Fed:
    """Book what the broker states, and compare the books with the account; see :func:`reconcile`.

    Raises:
        InputError: the account names no broker.
        NotReadyError: the broker does not answer; after two sessions nothing is opened.
    """
    return reconcile(ledger, broker_of(ledger))
