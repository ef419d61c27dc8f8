"""Prepare the study's market from the raw prices in the lake: sessions, prices, rates and findings.

How a market is built and judged belongs in ``sd_core.market``.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from pipelines.lab.current import FETCHES, MARKET, VERSION_OF_SATELLITES, market_inputs, overdue_tickers
from pipelines.lab.fingerprints import market_fingerprint
from pipelines.steps.fetch import FINDINGS
from sd_core.errors import InputError, NotReadyError
from sd_core.lake import Lake, Version, until_unmoved
from sd_core.market import raw
from sd_core.market.build import Market, build_market, version, version_of_satellites
from sd_core.market.findings import Finding, to_table
from sd_core.market.quality import history_changed, prices_overdue
from sd_core.market.sources.base import PriceHistory
from sd_core.market.sources.csv_files import read_price_index
from sd_core.study.model import Study

FETCH_FIRST = "first fetch them, with `sdlab run --select raw_prices` or the asset raw_prices in Dagster"


def prepare_market(study: Study, lake: Lake, study_file: Path) -> Version:
    """Build the market from what the lake holds and store it.

    Where another process stores one meanwhile, of prices that may be newer, it is built again.

    Raises:
        NotReadyError: prices of a ticker were never fetched.
        InputError: the prices do not make a market; the message begins with the study's file.
    """
    return until_unmoved(lambda: _prepare(study, lake, study_file))


def _prepare(study: Study, lake: Lake, study_file: Path) -> Version:
    before = lake.current(MARKET)
    inputs = market_inputs(study, lake)
    stored = {ticker: raw.load(lake, ticker) for ticker in study.fetched_tickers}
    if missing := [ticker for ticker, history in stored.items() if history is None]:
        raise NotReadyError(f"{', '.join(missing)}: no prices in the lake yet: {FETCH_FIRST}")
    built = build(study, {ticker: history for ticker, history in stored.items() if history is not None}, study_file)
    changes = Counter(change for ticker in study.fetched_tickers for change in raw.changes(lake, ticker))
    changed = [history_changed(change, times) for change, times in changes.items()]
    asked = max(history.fetched_at for history in stored.values() if history is not None)
    late = [prices_overdue(one) for one in overdue_tickers(study, lake, asked)]
    tables = vars(built) | {"price_findings": _all_findings(lake, built, [*changed, *late])}
    facts = {
        "prices_version": version(built),
        VERSION_OF_SATELLITES: version_of_satellites(built),
        "market_hash": market_fingerprint(study),
        "inputs": inputs,
    }
    return lake.write(MARKET, "", tables, facts, instead_of=before)


def build(study: Study, histories: Mapping[str, PriceHistory], study_file: Path) -> Market:
    """Build the market from the histories of all tickers that the study fetches.

    Raises:
        InputError: the prices do not make a market; the message begins with the study's file.
    """
    rate = histories[study.rate_ticker] if study.rate_ticker else None
    try:
        price_index = read_price_index(Path(study.price_index)) if study.price_index else None
        return build_market(study, {ticker: histories[ticker] for ticker in study.market_tickers}, rate, price_index)
    except InputError as error:
        raise InputError(f"{study_file}: {error}") from None


def _all_findings(lake: Lake, built: Market, stored: list[Finding]) -> pa.Table:
    """Join what the rules say about the prices with what is to be said of those stored, and what the fetches met."""
    fetches = lake.current(FETCHES)
    tables = [built.price_findings, to_table(stored)]
    return pa.concat_tables([*tables, *([fetches.read(FINDINGS)] if fetches else [])])
