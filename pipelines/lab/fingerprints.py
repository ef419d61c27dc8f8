"""Hashes of what rows depend on in a study, for what is stored to know what it answers.

Prices are hashed by ``sd_core.market.build``; whether a hash is today's is ``current``'s to say.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from sd_core.simulation.rules import resolve
from sd_core.simulation.targets import Targets
from sd_core.study.mixes import with_parts
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# Of a scenario whose targets are not known; shorter than any hash.
UNDECIDED = "undecided"
# Represents a reserve in what is hashed of many; no name of a study has such characters.
_SOME = "<reserve>"


def scenario_fingerprint(study: Study, scenario: Scenario) -> str:
    """Return a hash of everything in a study that a scenario's rows depend on, prices apart.

    Adding a strategy or a reserve to a study leaves the fingerprints of the others as they were. What a mix decided is
    among the rest; where that is not known, nothing that is stored has this fingerprint.
    """
    return next(scenario_fingerprints(study, [scenario]))


def scenario_fingerprints(study: Study, scenarios: Iterable[Scenario]) -> Iterator[str]:
    """Yield the :func:`scenario_fingerprint` of each scenario: of a strategy, reserves alone differ."""
    yield from _hashed(scenarios, lambda one: _parts_of(study, one) if study.is_decided(one.strategy) else None)


def strategy_fingerprint(study: Study, strategy: str, *, compared: bool) -> str:
    """Return the :func:`scenario_fingerprint` of a strategy at whatever reserve.

    ``compared`` is whether its scenarios are compared with the same cash without the rule.
    """
    if not study.is_decided(strategy):
        return UNDECIDED
    parts = _parts_of(study, Scenario(strategy=strategy, reserve=0.0))
    del parts["reserve"]
    return fingerprint({**parts, "compared": compared})


def _parts_of(study: Study, scenario: Scenario) -> dict[str, Any]:
    parts = dict(vars(resolve(study, scenario)))
    rules_of = study.strategies[scenario.strategy]
    kept: dict[str, Any] = {"keep": rules_of.keep, "path_band": study.path_band}
    # Rates change no row of a scenario; whether there are taxes decides if it has tax lots.
    if study.taxes is not None:
        # Where the rows are discarded, only their metrics after taxes are left; so it is with those of a twin.
        has_rows = rules_of.keep == "ledger" and rules_of.harvest is None
        kept |= {"tax_lots": True} if has_rows else study.taxes.model_dump()
    return {**parts, **kept, "tickers": study.tickers}


def rule_fingerprint(study: Study, scenario: Scenario) -> str:
    """Return a hash of the rule that a scenario tries, which prices and capital leave as it is.

    Of a mix it has what the study says, and not what was decided: each month decides once more by the same rule.

    Raises:
        NotReadyError: the scenario's mix has decided nothing yet.
    """
    return next(rule_fingerprints(study, [scenario]))


def rule_fingerprints(study: Study, scenarios: Iterable[Scenario]) -> Iterator[str]:
    """Yield the :func:`rule_fingerprint` of each scenario: of a strategy, reserves alone differ."""
    yield from _hashed(scenarios, lambda one: _rule_parts(study, one))


def _hashed(scenarios: Iterable[Scenario], parts_of: Callable[[Scenario], Mapping[str, Any] | None]) -> Iterator[str]:
    """Yield a hash of the parts of each scenario, which differ by the reserve alone within a strategy."""
    texts: dict[str, tuple[str, str] | None] = {}
    for scenario in scenarios:
        if scenario.strategy not in texts:
            parts = parts_of(scenario)
            before, _, after = _text({**(parts or {}), "reserve": _SOME}).partition(f'"{_SOME}"')
            texts[scenario.strategy] = None if parts is None else (before, after)
        known = texts[scenario.strategy]
        yield UNDECIDED if known is None else _hash(f"{known[0]}{json.dumps(scenario.reserve)}{known[1]}")


def _rule_parts(study: Study, scenario: Scenario) -> dict[str, Any]:
    rules = {name: value for name, value in vars(resolve(study, scenario)).items() if name != "capital"}
    if (name := study.strategies[scenario.strategy].mix) is not None:
        mixes = [study.mixes[one] for one in with_parts(study.mixes, name)]
        # Signals are made of each other, and boosted trees of all of them.
        signals = study.signals if any(mix.signals for mix in mixes) else {}
        rules["targets"] = [one.model_dump(mode="json") for one in (*mixes, *signals.values())]
    return {**rules, "tickers": study.tickers}


def market_fingerprint(study: Study) -> str:
    """Return a hash of everything in a study that its sessions, prices and rates depend on."""
    parts = study.model_dump(
        mode="json", include={"source", "start", "end", "sessions", "currency", "risk_free", "price_index"}
    )
    tickers = {"tickers": study.price_tickers, "universe": study.tickers, "satellites": study.satellite_tickers}
    return fingerprint(parts | tickers)


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return a short hash of values, whatever the order of the keys: what JSON can hold, arrays and targets."""
    return _hash(_text(parts))


def _text(parts: Mapping[str, Any]) -> str:
    return json.dumps(parts, sort_keys=True, default=_plain)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    """Return what JSON can hold of a value that it cannot hold."""
    match value:
        case Targets():
            return {"sessions": value.sessions.astype(str), "weights": value.weights}
        case np.ndarray():
            return value.tolist()
    raise TypeError(f"expected arrays or targets, was {type(value).__name__}")
