"""A study as tables, for SQL to know what was asked for.

The study itself belongs in ``sd_core.study``.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from sd_core.buckets.presets import settings_of
from sd_core.market.arrays import Dates
from sd_core.market.panel import periods_per_year
from sd_core.market.sessions import session_after
from sd_core.schemas import lake
from sd_core.schemas.buckets import STUDY_BUCKET
from sd_core.schemas.mixes import STUDY_MIX, STUDY_MIX_PART
from sd_core.schemas.signals import STUDY_SIGNAL, STUDY_SIGNAL_PART
from sd_core.schemas.strategy import as_column, strategy_values
from sd_core.schemas.stress import STUDY_STRESS_WINDOW
from sd_core.simulation.rules import targets_of
from sd_core.study.mixes import OTHERWISE
from sd_core.study.model import Study
from sd_core.study.satellites import CORE


def study_tables(study: Study, sessions: Dates) -> dict[str, pa.Table]:
    """Return what a study asks for: ``study`` (one row), and a table each of its assets, strategies and other parts.

    What is left to a default is null among an asset's overrides, and filled in for a strategy and a satellite.
    """
    total = sum(asset.weight for asset in study.universe.values())
    asset_rows = [
        {
            "position": position,
            "ticker": ticker,
            "asset_class": asset.asset_class,
            "weight": asset.weight,
            "target_share": asset.weight / total,
            "lot_size": asset.lot_size,
            "sd_n": asset.sd_n,
            "bracket": asset.bracket,
            "profit_share": asset.profit_share,
        }
        for position, (ticker, asset) in enumerate(study.universe.items(), start=1)
    ]
    strategy_rows = [
        {
            "position": position,
            "strategy": name,
            "sweep": study.sweep_of(name),
            "is_buy_and_hold": strategy.is_buy_and_hold,
            **_strategy_values(study, name),
        }
        for position, (name, strategy) in enumerate(study.strategies.items(), start=1)
    ]
    study_row = {
        "name": study.name,
        "source": study.source.kind,
        "start_date": study.start,
        "end_date": study.end,
        "calendar": study.sessions,
        "capital": study.capital,
        "currency": study.currency,
        "benchmark": study.benchmark,
        "risk_free": str(study.risk_free),
        "deposit_amount": study.deposits.amount if study.deposits else None,
        "deposit_every": study.deposits.every if study.deposits and study.deposits.amount else None,
        "deposit_on": as_column(study.deposits.on) if study.deposits else None,
        "deposit_invest": study.deposits.invest if study.deposits else None,
        "tax_short_term": study.taxes.short_term if study.taxes else None,
        "tax_long_term": study.taxes.long_term if study.taxes else None,
        "tax_dividends": study.taxes.dividends_or_default if study.taxes else None,
        "tax_interest": study.taxes.interest_or_default if study.taxes else None,
        **{
            f"smallest_difference_{measure}": difference
            for measure, difference in study.bootstrap.smallest_difference.model_dump().items()
        },
        "judge_by": study.judge_by,
        "periods_per_year": periods_per_year(sessions),
        "has_price_index": study.price_index is not None,
        "next_session": session_after(study.sessions, sessions),
    }
    return {
        "study": pa.Table.from_pylist([study_row], lake.STUDY.arrow_schema),
        "study_asset": pa.Table.from_pylist(asset_rows, lake.STUDY_ASSET.arrow_schema),
        "study_strategy": pa.Table.from_pylist(strategy_rows, lake.STUDY_STRATEGY.arrow_schema),
        "strategy_target": _strategy_targets(study, sessions),
        "study_mix": pa.Table.from_pylist(list(_mix_rows(study)), STUDY_MIX.arrow_schema),
        "study_stress_window": pa.Table.from_pylist(list(_window_rows(study)), STUDY_STRESS_WINDOW.arrow_schema),
        "study_mix_part": pa.Table.from_pylist(list(_mix_part_rows(study)), STUDY_MIX_PART.arrow_schema),
        "study_signal": pa.Table.from_pylist(list(_signal_rows(study)), STUDY_SIGNAL.arrow_schema),
        "study_signal_part": pa.Table.from_pylist(list(_signal_part_rows(study)), STUDY_SIGNAL_PART.arrow_schema),
        "study_bucket": pa.Table.from_pylist(list(_bucket_rows(study)), STUDY_BUCKET.arrow_schema),
    }


def _mix_rows(study: Study) -> Iterator[dict[str, Any]]:
    for position, (name, mix) in enumerate(study.mixes.items(), start=1):
        yield {
            "position": position,
            "mix": name,
            "method": mix.method,
            "every": mix.every,
            "window": None if mix.expanding or mix.is_composite else mix.window_or_default,
            "confirm": mix.confirm_or_default if mix.method == "regime" else None,
            "keys": mix.model_dump_json(by_alias=True, exclude_unset=True),
        }


def _window_rows(study: Study) -> Iterator[dict[str, Any]]:
    windows = study.stress.windows if study.stress else {}
    for position, (name, (first, last)) in enumerate(windows.items(), start=1):
        yield {"position": position, "episode": name, "from_date": first, "to_date": last}


def _mix_part_rows(study: Study) -> Iterator[dict[str, Any]]:
    for name, mix in study.mixes.items():
        if mix.method == "blend":
            rows = [{"part": part, "share": share} for part, share in mix.shares.items()]
        else:
            named = {**(mix.of or {}), OTHERWISE: mix.otherwise} if mix.method == "regime" else {}
            rows = [{"part": part, "regime": regime} for regime, part in named.items()]
        yield from ({"mix": name, "position": position, **row} for position, row in enumerate(rows, start=1))


def _signal_rows(study: Study) -> Iterator[dict[str, Any]]:
    for position, (name, signal) in enumerate(study.signals.items(), start=1):
        yield {
            "position": position,
            "signal": name,
            "kind": signal.kind,
            "keys": signal.model_dump_json(exclude_unset=True),
        }


def _signal_part_rows(study: Study) -> Iterator[dict[str, Any]]:
    for name, signal in study.signals.items():
        for position, (part, weight) in enumerate(signal.parts.items(), start=1):
            yield {"signal": name, "position": position, "part": part, "weight": weight}


def _bucket_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield the buckets of every plan, the core first; a key that a row leaves out is NULL."""
    for plan, parts in study.buckets.items():
        targets = [satellite.target_or_default for satellite in parts.satellites.values()]
        book = {"plan": plan, "budget": parts.budget_or_default}
        core = {"bucket": CORE, "position": 0, "target": 1.0 - math.fsum(targets), "tickers": []}
        yield {**book, **core, **parts.core.model_dump()}
        for position, (name, satellite) in enumerate(parts.satellites.items(), start=1):
            yield {
                **book,
                "position": position,
                "bucket": name,
                "target": satellite.target_or_default,
                "min_pct": satellite.min_pct,
                "tickers": [ticker for ticker in study.satellite_universe if ticker in satellite.tickers],
                **settings_of(satellite).columns,
            }


def _strategy_values(study: Study, name: str) -> dict[str, Any]:
    """Return a strategy's values by column, with what it takes from the study and every default filled in."""
    strategy, withdrawals = study.strategies[name], study.withdrawals_of(name)
    given = strategy.model_copy(update={"costs": study.costs_of(name), "withdrawals": withdrawals})
    values = strategy_values(given)
    values["dividends"] = strategy.dividends_or_default
    values["rebalance_on_change"] = strategy.rebalances_on_change if strategy.has_changing_targets else None
    # Beside edges by ticker the band of all other assets is in columns of its own, those of its default.
    if strategy.band and (around := strategy.band.around_targets) and not strategy.band.edges:
        values["band_kind"] = around.kind
    if withdrawals is not None and withdrawals.rate is None:
        values["withdrawals_of"] = None
    if withdrawals is not None and not withdrawals.is_periodic:
        values["withdrawals_every"] = None
    if strategy.rule is not None:
        values |= {
            "rule_sd_n": strategy.rule.sd_n_or_default,
            "rule_bracket": strategy.rule.spacing_or_default,
            "rule_profit_share": strategy.rule.profit_share_or_default,
        }
    return values


def _strategy_targets(study: Study, sessions: Dates) -> pa.Table:
    """Return the weights of every strategy by the session from whose close on they are in force.

    Rows of targets that come into force on no session, or change nothing, are left out, and strategies whose mix has
    decided nothing yet.
    """
    rows = []
    for name in filter(study.is_decided, study.strategies):
        targets = targets_of(study, name)
        in_force = targets.rows_by_session(sessions)
        weights = targets.weights[in_force]
        changes = (weights[1:] != weights[:-1]).any(axis=1)
        begins = np.flatnonzero(np.concatenate([[True], changes]))
        rows += [
            {"strategy": name, "session": session, "ticker": ticker, "weight": weight}
            for session, row in zip(sessions[begins].tolist(), in_force[begins].tolist(), strict=True)
            for ticker, weight in zip(study.tickers, targets.weights[row].tolist(), strict=True)
        ]
    return pa.Table.from_pylist(rows, lake.STRATEGY_TARGET.arrow_schema)
