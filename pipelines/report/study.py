"""What was simulated: the study's period, money, costs, assets and strategies, at the head of the report."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from pipelines.report import page
from pipelines.report.numbers import date, decimal, level, percent
from pipelines.report.page import Cell
from pipelines.report.strategies import described, lump_sums
from pipelines.report.verdicts import Headline
from pipelines.warehouse.records import records
from sd_core.wording import counted

# More strategies than these, of a sweep for instance, are unfolded on demand.
MOST_STRATEGIES = 12


def study_part(connection: duckdb.DuckDBPyConnection, headline: Headline) -> str:
    """Return the study's facts, its assets and a sentence on each strategy."""
    assets = records(connection, "from study_asset order by position")
    strategies = records(connection, "from study_strategy order by position")
    facts = list(_facts(headline, assets, strategies))
    explained = page.terms((row["strategy"], described(row)) for row in strategies)
    if len(strategies) > MOST_STRATEGIES:
        explained = page.details(counted(len(strategies), "strategy", "strategies"), explained)
    return page.terms(facts) + "<h3>Strategies</h3>" + explained + "<h3>Assets</h3>" + _assets(assets)


def _facts(
    headline: Headline, assets: Sequence[dict[str, Any]], strategies: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    study, rows = headline.study, headline.rows
    first, last = min(row["first_session"] for row in rows), max(row["last_session"] for row in rows)
    yield "Period", f"{date(first)} to {date(last)}, sessions: {study['calendar']}"
    yield "Capital", f"{decimal(study['capital'])} {study['currency']}"
    reserves = sorted({row["reserve"] for row in rows})
    yield "Cash reserve", ", ".join(map(level, reserves)) + " of the capital left in cash at the start"
    yield "Cash earns", study["risk_free"] if not _is_number(study["risk_free"]) else _yearly(study["risk_free"])
    yield "Costs of a trade", "; ".join(dict.fromkeys(_costs(row, study["currency"]) for row in strategies))
    deposits = [f"{decimal(study['deposit_amount'])} each {study['deposit_every']}"] if study["deposit_amount"] else []
    if deposits := [*deposits, *filter(None, [lump_sums(study["deposit_on"])])]:
        yield "Deposits", f"{', '.join(deposits)}, in {study['currency']}"
    if study["tax_short_term"] is not None:
        kinds = ("short_term", "long_term", "dividends", "interest")
        yield "Tax rates", ", ".join(f"{kind.replace('_', ' ')} {level(study[f'tax_{kind}'])}" for kind in kinds)
    if study["benchmark"]:
        yield "Benchmark", "all assets in equal parts" if study["benchmark"] == "universe" else study["benchmark"]
    yield "Prices", f"{study['source']}, {counted(len(assets), 'asset')}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _yearly(rate: str) -> str:
    return f"{percent(float(rate))} a year"


def _costs(row: dict[str, Any], currency: str) -> str:
    parts = [f"{row['costs_bps']:g} basis points of its worth"] if row["costs_bps"] else []
    parts += [f"{row['costs_fixed']:g} {currency}"] if row["costs_fixed"] else []
    return " and ".join(parts) or "none"


def _assets(assets: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            Cell(row["ticker"], is_number=False),
            Cell(row["asset_class"], is_number=False),
            Cell(percent(row["target_share"]), row["target_share"]),
        ]
        for row in assets
    ]
    return page.table(("asset", "class", "weight"), rows, name="Assets", sortable=True)
