"""Signals for those who act on them: what the lake keeps of them, and their tables evaluated in memory.

Importing this is quick, so that a run finds out soon what it has to do; what computes is imported when it does.
"""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.lab.fingerprints import fingerprint
from pipelines.steps.derived import Derived
from pipelines.steps.progress import Progress, unheard
from sd_core import versions
from sd_core.lake import Lake, Version
from sd_core.market.sources.states import file_state
from sd_core.schemas.signals import BOOSTED_RETURN, SIGNAL_INPUTS
from sd_core.study.mixes import BOOSTED
from sd_core.study.model import Study

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.steps.derived import Tables

# Kinds that SQL cannot compute of prices alone.
_WITH_INPUTS = ("file", "spillover")


def signal_settings(study: Study, names: Collection[str]) -> dict[str, Any]:
    """Return what signals depend on in a study besides prices, as JSON can hold it; ``boosted`` depends on all."""
    asked = _with_parts(study, names)
    signals = {name: study.signals[name] for name in study.signals if name in asked}
    return {
        "signals": {name: signal.model_dump(mode="json", exclude={"file"}) for name, signal in signals.items()},
        "files": {name: file_state(Path(signal.file)) for name, signal in signals.items() if signal.file is not None},
        "assets": [[ticker, asset.asset_class] for ticker, asset in study.universe.items()],
        "benchmark": study.benchmark,
        "version": versions.SIGNALS,
        "libraries": _libraries() if BOOSTED in names else None,
    }


def signal_tables(study: Study, lake: Lake, market: Version, names: Collection[str]) -> dict[str, "pa.Table"]:
    """Return the tables ``signal`` and ``signal_ic``, with the rows of some signals.

    Args:
        study: whose signals they are.
        lake: whose shared lock the caller holds.
        market: of the study.
        names: of signals, ``boosted`` among them where a mix asks for it.
    """
    from pipelines.steps.signal_inputs import evaluated_signals

    asked = _with_parts(study, names)
    inputs = dict(_stored(SIGNALS, study, lake, market))
    if BOOSTED in names:
        inputs |= _stored(BOOSTED_TREES, study, lake, market)
    part = study.model_copy(update={"signals": {name: study.signals[name] for name in study.signals if name in asked}})
    with evaluated_signals(part, market, inputs, "signal", "signal_ic") as connection:
        return {
            table: connection.sql(
                f"from {table} where list_contains($1, signal)",
                params=[list(names)],
            ).to_arrow_table()
            for table in ("signal", "signal_ic")
        }


def _with_parts(study: Study, names: Collection[str]) -> set[str]:
    """Return signals with those that they are blended of."""
    asked = set(study.signals) if BOOSTED in names else set(names)
    return asked.union(*(study.signals[name].parts for name in asked))


def _stored(derived: Derived, study: Study, lake: Lake, market: Version) -> "Tables":
    """Return what the lake holds that answers the study, or compute it; nothing where the study has none of it."""
    if not derived.parts(study, lake):
        return {}
    stored = derived.current(study, lake, market).get("")
    if stored is None:
        return derived.compute(study, lake, market, unheard)
    return {name: stored.read(name) for name in stored.rows}


def _whole_or_nothing(study: Study, *, wanted: bool) -> dict[str, Study]:
    return {"": study} if wanted else {}


def _input_settings(study: Study) -> dict[str, Any]:
    return signal_settings(study, [name for name, signal in study.signals.items() if signal.kind in _WITH_INPUTS])


def _inputs(study: Study, _: Lake, market: Version, progress: Progress) -> "Tables":
    from pipelines.steps.signal_inputs import read_inputs

    return read_inputs(study, market, progress)


def _boosted_settings(study: Study) -> dict[str, Any]:
    return signal_settings(study, [BOOSTED])


def _boosted(study: Study, lake: Lake, market: Version, _: Progress) -> "Tables":
    from pipelines.steps.signal_inputs import boost

    before = lake.current(BOOSTED_TREES.name)
    # Where the answer is there already, all of it is asked for again.
    is_current = before is not None and before.facts == BOOSTED_TREES.facts(study, lake, market)
    inputs = _stored(SIGNALS, study, lake, market)
    return boost(study, market, inputs, fingerprint(_libraries()), None if is_current else before)


@cache
def _libraries() -> Mapping[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "scikit-learn")}


SIGNALS = Derived(
    name="signals",
    description="What signals need that SQL cannot compute: values of files, and which assets lead which.",
    version=versions.SIGNALS,
    inputs=("sessions", "prices", "rates"),
    tables=tuple(table.name for table in SIGNAL_INPUTS),
    settings=_input_settings,
    compute=_inputs,
    parts=lambda study, _: _whole_or_nothing(
        study, wanted=any(signal.kind in _WITH_INPUTS for signal in study.signals.values())
    ),
)
BOOSTED_TREES = Derived(
    name=BOOSTED,
    description="What boosted trees expect of every asset, refitted each January to what signals said and predicted.",
    version=versions.SIGNALS,
    inputs=("sessions", "prices", "rates", *SIGNALS.tables),
    tables=(BOOSTED_RETURN.name,),
    settings=_boosted_settings,
    compute=_boosted,
    parts=lambda study, _: _whole_or_nothing(study, wanted=any(BOOSTED in mix.signals for mix in study.mixes.values())),
)
