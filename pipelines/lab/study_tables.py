"""A study as tables, for SQL to know what was asked for.

The study itself belongs in ``sd_core.study``.
"""

from typing import Any

import pyarrow as pa

from sd_core.study.model import Study
from sd_core.study.parts import Withdrawals
from sd_core.study.strategy import Strategy


def study_tables(study: Study) -> dict[str, pa.Table]:
    """Return the tables ``study`` (one row), ``study_asset`` and ``study_strategy`` in the study's order.

    What an asset or a strategy leaves to a default is null among an asset's overrides and filled in for a strategy.
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
            "candidate": study.candidates.index(ticker) + 1 if ticker in study.candidates else None,
        }
        for position, (ticker, asset) in enumerate(study.universe.items(), start=1)
    ]
    strategy_rows = [
        {
            "position": position,
            "strategy": name,
            "sweep": study.sweep_of(name),
            "keep": strategy.keep,
            "variant": strategy.variant,
            "sd_n": strategy.sd_n_or_default,
            "bracket": strategy.spacing_or_default,
            "profit_share": strategy.profit_share_or_default,
            "sizing": strategy.sizing,
            "coordination": strategy.coordination,
            "path": strategy.path,
            "anchor": strategy.anchor,
            "max_rungs": strategy.max_rungs,
            "lot_order": strategy.lot_order,
            "margin_limit": strategy.margin.limit if strategy.margin else None,
            "margin_rate": strategy.margin.rate if strategy.margin else None,
            "cost_bps": study.costs_of(name).bps,
            "cost_fixed": study.costs_of(name).fixed,
            **_withdrawal_columns(study.withdrawals_of(name)),
            **_portfolio_columns(strategy),
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
        "deposit_every": study.deposits.every if study.deposits else None,
        "tax_short_term": study.taxes.short_term if study.taxes else None,
        "tax_long_term": study.taxes.long_term if study.taxes else None,
        "tax_dividends": study.taxes.dividends_or_default if study.taxes else None,
        "tax_interest": study.taxes.interest_or_default if study.taxes else None,
    }
    return {
        "study": pa.Table.from_pylist([study_row], _STUDY),
        "study_asset": pa.Table.from_pylist(asset_rows, _STUDY_ASSET),
        "study_strategy": pa.Table.from_pylist(strategy_rows, _STUDY_STRATEGY),
    }


def _withdrawal_columns(withdrawals: Withdrawals | None) -> dict[str, Any]:
    if withdrawals is None:
        return dict.fromkeys(_WITHDRAWALS)
    return {
        "withdrawal_amount": withdrawals.amount,
        "withdrawal_rate": withdrawals.rate,
        "withdrawal_of": withdrawals.of if withdrawals.rate else None,
        "withdrawal_every": withdrawals.every,
        "coverage_min": withdrawals.coverage,
        "coverage_of": withdrawals.coverage_of,
        "shortfall": withdrawals.shortfall,
        "withdrawal_indexed": withdrawals.indexed,
    }


def _portfolio_columns(strategy: Strategy) -> dict[str, Any]:
    rebalance, band, cost_aware = strategy.rebalance, strategy.band, strategy.cost_aware
    deviation, volatility = (rebalance.deviation, rebalance.volatility) if rebalance else (None, None)
    return {
        "rebalance_every": rebalance.every if rebalance else None,
        "deviation": deviation.width if deviation else None,
        "deviation_kind": deviation.kind if deviation else None,
        "volatility": volatility.level if volatility else None,
        "volatility_window": volatility.window if volatility else None,
        "band": band.width if band else None,
        "band_kind": band.kind if band else None,
        "min_trade": cost_aware.min_trade if cost_aware else None,
        "max_cost": cost_aware.max_cost if cost_aware else None,
        "cash_low": strategy.cash_low,
        "cash_high": strategy.cash_high,
        "drift": strategy.drift,
        "premium_spread": strategy.premium_spread,
        "adaptive_bracket": strategy.adaptive_bracket,
        "portfolio_stop": strategy.portfolio_stop,
    }


_WITHDRAWALS = {
    "withdrawal_amount": pa.float64(),
    "withdrawal_rate": pa.float64(),
    "withdrawal_of": pa.string(),
    "withdrawal_every": pa.string(),
    "coverage_min": pa.float64(),
    "coverage_of": pa.string(),
    "shortfall": pa.string(),
    "withdrawal_indexed": pa.bool_(),
}
_PORTFOLIO = {
    "rebalance_every": pa.string(),
    "deviation": pa.float64(),
    "deviation_kind": pa.string(),
    "volatility": pa.float64(),
    "volatility_window": pa.int32(),
    "band": pa.float64(),
    "band_kind": pa.string(),
    "min_trade": pa.float64(),
    "max_cost": pa.float64(),
    "cash_low": pa.float64(),
    "cash_high": pa.float64(),
    "drift": pa.float64(),
    "premium_spread": pa.float64(),
    "adaptive_bracket": pa.bool_(),
    "portfolio_stop": pa.float64(),
}
_STUDY = pa.schema(
    {
        "name": pa.string(),
        "source": pa.string(),
        "start_date": pa.date32(),
        "end_date": pa.date32(),
        "calendar": pa.string(),
        "capital": pa.float64(),
        "currency": pa.string(),
        "benchmark": pa.string(),
        "risk_free": pa.string(),
        "deposit_amount": pa.float64(),
        "deposit_every": pa.string(),
        "tax_short_term": pa.float64(),
        "tax_long_term": pa.float64(),
        "tax_dividends": pa.float64(),
        "tax_interest": pa.float64(),
    }
)
_STUDY_ASSET = pa.schema(
    {
        "position": pa.int32(),
        "ticker": pa.string(),
        "asset_class": pa.string(),
        "weight": pa.float64(),
        "target_share": pa.float64(),
        "lot_size": pa.float64(),
        "sd_n": pa.float64(),
        "bracket": pa.float64(),
        "profit_share": pa.float64(),
        "candidate": pa.int32(),
    }
)
_STUDY_STRATEGY = pa.schema(
    {
        "position": pa.int32(),
        "strategy": pa.string(),
        "sweep": pa.string(),
        "keep": pa.string(),
        "variant": pa.string(),
        "sd_n": pa.float64(),
        "bracket": pa.float64(),
        "profit_share": pa.float64(),
        "sizing": pa.string(),
        "coordination": pa.string(),
        "path": pa.string(),
        "anchor": pa.string(),
        "max_rungs": pa.int32(),
        "lot_order": pa.string(),
        "margin_limit": pa.float64(),
        "margin_rate": pa.float64(),
        "cost_bps": pa.float64(),
        "cost_fixed": pa.float64(),
        **_WITHDRAWALS,
        **_PORTFOLIO,
    }
)
