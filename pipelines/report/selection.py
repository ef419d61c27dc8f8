"""Is the best of many scenarios better than buy-and-hold, or lucky? In a sentence, in tables, and where it ranked.

The tests belong in ``sd_core.selection``.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from pipelines.report import svg
from pipelines.report.numbers import decimal, level, percent
from pipelines.report.page import Cell, table
from pipelines.report.scales import compact_percent, linear
from pipelines.report.svg import BLUE, Figure, Part
from pipelines.warehouse.records import records
from sd_core.wording import counted

# In words: by what the best is chosen.
MEASURES = {"growth": "growth", "sharpe": "Sharpe ratio"}
# The most members of a confidence set that are named.
NAMED = 8

_TESTS = "from selection_test order by family <> 'all', family <> 'mixes', family, measure"
_SPLITS = "from selection_split where family = 'all' order by measure, bin"
_IN_SET = """
select strategy, reserve
from selection_member
where family = 'all' and measure = $1 and in_set
order by difference desc, strategy, reserve
"""
_HINDSIGHT = "No test corrects for assets that were chosen with hindsight, as survivors are."


def selection_sentences(connection: duckdb.DuckDBPyConnection, judge_by: str) -> list[str]:
    """Say how many scenarios were tried, and whether the best of them can be distinguished from luck; none without.

    Args:
        connection: of a published warehouse.
        judge_by: the measure that the study judges by.
    """
    found = {row["measure"]: row for row in records(connection, _TESTS) if row["family"] == "all"}
    if not found:
        return []
    order = ("sharpe", "growth") if judge_by == "sharpe" else ("growth", "sharpe")
    lead, other = (found[measure] for measure in order)
    [began] = records(connection, "select min(session) as first from sessions")
    since = lead["first_session"]
    later = since if since is not None and since > began["first"] else None
    return [" ".join([_tried(lead), *_since(later), *_judged(lead, other, later), _HINDSIGHT])]


def _tried(row: dict[str, Any]) -> str:
    """Say how many rules were tried; scenarios of the study may share a rule, and rules may be gone from it."""
    gone = row["trials"] - row["scenarios"]
    some = f", {row['scenarios']} of them in the study" if gone > 0 else ""
    return f"{counted(row['trials'], 'scenario')} {'was' if row['trials'] == 1 else 'were'} tried{some}."


def _since(later: dt.date | None) -> Iterator[str]:
    """Say from when on scenarios are compared, where that is later than the study begins."""
    if later is not None:
        yield f"They are compared from {later:%Y-%m-%d} on, when every mix had decided."


def _judged(lead: dict[str, Any], other: dict[str, Any], later: dt.date | None) -> Iterator[str]:
    """Say whether the best did better than buy-and-hold, by the other measure where by one none did, and how sure."""
    if lead["strategy"] is None:
        yield f"Whether the best is better than buy-and-hold, or lucky, cannot be said: {lead['verdict_missing']}."
        return
    # Over the whole study, which tables above have, it may be otherwise.
    then = "" if later is None else " since then"
    by, by_other = MEASURES[lead["measure"]], MEASURES[other["measure"]]
    better = [row for row in (lead, other) if row["difference"] is not None and row["difference"] > 0]
    if not better:
        yield f"None did better than buy-and-hold{then}, by {by} or by {by_other}."
        return
    row = better[0]
    if row is not lead:
        yield f"By {by} none did better than buy-and-hold{then}."
    named = f"{row['strategy']} at a reserve of {_level(row['reserve'])}"
    yield f"The best by {MEASURES[row['measure']]}{then}, {named}, did better than buy-and-hold, {_verdict(row)}:"
    yield f"{_evidence(row, other if row is lead else lead)} (selection_test)."


def _verdict(row: dict[str, Any]) -> str:
    return {
        "distinguished": "and is distinguished from luck",
        "not distinguished": "which cannot be distinguished from luck",
    }.get(row["verdict"], "which may be luck")


def _evidence(row: dict[str, Any], other: dict[str, Any]) -> str:
    """Return the numbers that a verdict follows from, and what is missing of them."""
    numbers = [f"deflated Sharpe ratio {_share(row['deflated'])}"]
    if row["spa_p_value"] is not None:
        by_other = other["spa_p_value"]
        beside = "" if by_other is None else f" (by {MEASURES[other['measure']]} {_share(by_other)})"
        numbers.insert(0, f"SPA p-value {_share(row['spa_p_value'])}{beside}")
    if row["pbo"] is not None:
        numbers.append(f"PBO {_share(row['pbo'])}")
    said = [", ".join(numbers)]
    if row["confidence_set"] is not None:
        said.append(f"the 90 % confidence set of the best has {row['confidence_set']} of {row['with_days']}")
    elif row["verdict_missing"] is None:
        said.append("there is no SPA p-value, since no days are kept")
    if row["verdict_missing"] is not None:
        said.append(row["verdict_missing"])
    return "; ".join(said)


def _share(number: float) -> str:
    return "below 0.01" if 0.0 < number < 0.01 else f"{number:.2f}"


def _level(reserve: float) -> str:
    return f"{reserve * 100:.4g} %"


def selection_tables(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the best of each family beside buy-and-hold, and the tests of it; empty where nothing was tried."""
    rows = records(connection, _TESTS)
    if not rows:
        return ""
    best = [
        [
            *_names(row),
            Cell(decimal(row["scenarios"]), row["scenarios"]),
            Cell(row["strategy"] or "–", is_number=False),
            Cell("–" if row["reserve"] is None else level(row["reserve"]), row["reserve"]),
            Cell(percent(row["difference"], 2), row["difference"]),
            Cell(decimal(row["ratio"], 2), row["ratio"]),
            Cell(decimal(row["sessions"]), row["sessions"]),
            Cell(decimal(row["sessions_needed"]), row["sessions_needed"]),
        ]
        for row in rows
    ]
    tests = [
        [
            *_names(row),
            Cell(decimal(row["expected_ratio"], 2), row["expected_ratio"]),
            *(Cell(decimal(row[name], 3), row[name]) for name in ("deflated", "pbo", "spa_p_value")),
            Cell(_between(row), is_number=False),
            Cell(decimal(row["confidence_set"]), row["confidence_set"]),
            Cell(row["verdict"] or row["verdict_missing"], is_number=False),
        ]
        for row in rows
    ]
    of_best = ("family", "by", "scenarios", "best", "reserve", "difference a year", "its ratio", "sessions", "needed")
    of_tests = ("family", "by", "ratio by luck", "deflated", "PBO", "SPA p", "its bounds", "may be best", "verdict")
    return table(of_best, best, name="The best of each family beside buy-and-hold") + table(
        of_tests, tests, name="Tests of the best of each family"
    )


def _names(row: dict[str, Any]) -> list[Cell]:
    return [Cell(row["family"], is_number=False), Cell(MEASURES[row["measure"]], is_number=False)]


def _between(row: dict[str, Any]) -> str:
    ends = [row["spa_p_value_lower"], row["spa_p_value_upper"]]
    return "–" if None in ends else " to ".join(decimal(end, 3) for end in ends)


def members_of_sets(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say which scenarios may be the best by each measure, where that is known."""
    for measure, words in MEASURES.items():
        rows = records(connection, _IN_SET, [measure])
        named = ", ".join(f"{row['strategy']} at {_level(row['reserve'])}" for row in rows[:NAMED])
        more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
        if rows:
            yield f"One of these is the best by {words} with 90 % confidence: {named}{more}."


def rank_figures(connection: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Draw by measure where the best of one half of the time ranked in the other half; none where nothing was split."""
    by_measure: dict[str, list[dict[str, Any]]] = {}
    for row in records(connection, _SPLITS):
        by_measure.setdefault(row["measure"], []).append(row)
    return [_rank_figure(MEASURES[measure], rows) for measure, rows in by_measure.items()]


def _rank_figure(by: str, rows: Sequence[dict[str, Any]]) -> Figure:
    total = sum(row["splits"] for row in rows)
    shares = [row["splits"] / total for row in rows]
    names = [f"{row['rank_up_to']:.2g}" for row in rows]
    label = f"Share of {total} splits by the rank that the best by {by} of one half has in the other half."
    return Figure(
        f"Rank in the other half, by {by}",
        svg.columns(
            names,
            [Part("splits", shares, BLUE)],
            linear(shares, "% of splits", compact_percent),
            label=label,
            unit="rank up to: 0 is the worst, 1 the best",
        ),
        header=("rank up to", "splits"),
        rows=tuple((name, decimal(row["splits"])) for name, row in zip(names, rows, strict=True)),
    )
