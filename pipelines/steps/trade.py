"""The account at its broker: what the ledger of a study asks of it, with the keys of this machine's environment.

What is booked belongs in ``sd_core.buckets.trading``, where the ledger is in ``operate``.
"""

import os
from collections.abc import Sequence

from sd_core.broker.protocol import Broker
from sd_core.broker.registry import NO_BROKER, open_broker
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.trading import sending
from sd_core.buckets.trading.feed import Fed, reconcile
from sd_core.buckets.trading.sending import Sent
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


def approve_orders(ledger: Ledger, client_ids: Sequence[str]) -> list[Sent]:
    """Read the broker, finish what was begun, and approve and send proposed orders.

    Raises:
        InputError: the account names no broker.
        NotReadyError: the broker does not answer, so nothing is sent.
    """
    broker = broker_of(ledger)
    reconcile(ledger, broker)
    return [*sending.resume(ledger, broker), *sending.approve(ledger, broker, client_ids)]


def cancel_openings(ledger: Ledger, bucket: str | None = None) -> list[Sent]:
    """Call off the purchases of a bucket, or of all, at the broker; nothing where the account names none."""
    with ledger.state() as state:
        if state.setting(LIVE, "broker") == NO_BROKER:
            return []
    return sending.cancel_openings(ledger, broker_of(ledger), bucket)
