"""The brokers that an account may be at, by name."""

from collections.abc import Callable, Mapping

from sd_core.broker.protocol import Broker
from sd_core.errors import InputError

# What an account without a broker has in its place.
NO_BROKER = "none"


def _alpaca(environment: Mapping[str, str]) -> Broker:
    from sd_core.broker.alpaca import Alpaca

    return Alpaca(environment, environment.get("ALPACA_URL"))


BROKERS: dict[str, Callable[[Mapping[str, str]], Broker]] = {"alpaca": _alpaca}


def open_broker(name: str, environment: Mapping[str, str]) -> Broker:
    """Return the account at a broker.

    Args:
        name: one of ``BROKERS``.
        environment: where keys are.

    Raises:
        InputError: none is named, or what it needs is missing.
    """
    if name not in BROKERS:
        raise InputError(f"expected an account with a broker: `sdlab bucket set live broker={'|'.join(BROKERS)}`")
    return BROKERS[name](environment)
