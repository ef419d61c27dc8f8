"""What a run found, in words: buy-and-hold first, then every strategy, then what to doubt.

The words are the same on a terminal and in the report. Reads the published warehouse only; how numbers are computed
belongs in ``sql``, how they are printed in ``pipelines.cli.headline``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.warehouse.records import records
from sd_core.wording import counted

_ROWS = """
select
    report_strategy.*,
    parts.position,
    parts.sweep,
    parts.is_buy_and_hold,
    parts.rule_variant is not null as has_rule,
    parts.is_rebalanced,
    -- Strategies that differ in numbers alone are of one family.
    (parts.rule_variant, parts.rule_sizing, parts.rule_order, parts.is_rebalanced)::varchar as family
from report_strategy
inner join (
    select
        *,
        coalesce(rebalance_deviation_width, rebalance_volatility_level, band_width) is not null
        or coalesce(rebalance_every, band_edges) is not null
        or coalesce(rebalance_on_change, false) as is_rebalanced
    from study_strategy
) as parts using (strategy)
order by position, reserve
"""

_JUDGED = """
select verdicts.conclusion, verdicts.verdict
from report_reserve_verdict as verdicts
inner join study_strategy using (strategy)
where verdicts.conclusion not in ('mechanical', 'single')
order by study_strategy.position, verdicts.measure desc
"""

HARVEST_NOTE = (
    "Income is dividends, interest and net harvest, per year. Harvest is money taken out of the holdings, not a yield."
)
REBALANCING_NOTE = "Where a strategy rebalances, harvest may go straight back into the holdings."
# The most that are named of what could be many.
NAMED = 8
# Returns that differ by less are the same but for rounding.
SAME_RETURN = 1e-9


@dataclass(frozen=True)
class Chosen:
    """One line of the table: a row of report_strategy and why it is shown."""

    label: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Headline:
    """What is to be said first.

    Attributes:
        study: the row of the table study.
        title: study, capital and dates.
        notices: what the reader must know before the first number is read.
        rows: every row of report_strategy, in the study's order, with what its strategy is.
        holding: that of buy-and-hold; None where the study has none.
        chosen: the rows to show.
        notes: what the columns of those rows mean.
        sentences: where buy-and-hold wins, and what cannot be compared.
        reserves: which reserve is the best, in a sentence for each verdict that the bootstrap samples allow.
        undecided: how many verdicts they do not allow.
        findings: about the prices of single tickers, in a sentence each.
    """

    study: dict[str, Any]
    title: str
    notices: list[str]
    rows: list[dict[str, Any]]
    holding: dict[str, Any] | None
    chosen: list[Chosen]
    notes: list[str]
    sentences: list[str]
    reserves: list[str]
    undecided: int
    findings: list[str]


def read_headline(connection: duckdb.DuckDBPyConnection) -> Headline:
    """Read the headline of a warehouse."""
    study = records(connection, "from study")[0]
    rows = records(connection, _ROWS)
    holding = next((row for row in rows if row["is_buy_and_hold"] and row["reserve"] == 0), None)
    first, last = min(row["first_session"] for row in rows), max(row["last_session"] for row in rows)
    findings = records(connection, "from report_data_quality order by ticker, first_session, rule, detail")
    judged = records(connection, _JUDGED)
    return Headline(
        study,
        title=f"{study['name']}: {study['capital']:,.0f} {study['currency']} from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        notices=[row["detail"] for row in findings if row["ticker"] is None],
        rows=rows,
        holding=holding,
        chosen=_chosen(rows, holding),
        notes=[
            HARVEST_NOTE,
            *([REBALANCING_NOTE] if any(row["has_rule"] and row["is_rebalanced"] for row in rows) else []),
        ],
        sentences=[*sentences(rows, holding), *about_withdrawals(rows), *_taxes(study)],
        reserves=[row["verdict"] for row in judged if row["conclusion"] != "undecided"],
        undecided=sum(row["conclusion"] == "undecided" for row in judged),
        findings=[row["detail"] for row in findings if row["ticker"] is not None],
    )


def _chosen(rows: Sequence[dict[str, Any]], holding: dict[str, Any] | None) -> list[Chosen]:
    chosen = [Chosen("buy-and-hold", holding)] if holding else []
    strategies: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        strategies.setdefault(row["sweep"] or row["strategy"], []).append(row)
    for name, levels in strategies.items():
        levels.sort(key=lambda row: -row["twr"])
        if levels[0]["sweep"]:
            labels = [f"best of {name}", f"worst of {name}"]
        else:
            labels = ["only reserve"] if len(levels) == 1 else ["best reserve", "worst reserve"]
        ends = zip(labels, (levels[0], levels[-1]), strict=False)
        chosen += [Chosen(label, row) for label, row in ends if row is not holding]
    return chosen


def withdrawn(row: dict[str, Any]) -> str:
    """Return what was paid of the withdrawals that fell due."""
    paid, due = row["withdrawals"], row["withdrawals_scheduled"]
    return f"{paid:,.0f}" if paid_all(row) else f"{paid:,.0f} of {due:,.0f}"


def paid_all(row: dict[str, Any]) -> bool:
    """Return whether a scenario paid every withdrawal that fell due, but for rounding."""
    return bool(row["withdrawals"] >= row["withdrawals_scheduled"] * (1 - SAME_RETURN))


def percent_of(fraction: float | None, digits: int | None = 1) -> str:
    """Return a fraction in percent, with as many digits as it has where ``digits`` is None."""
    if fraction is None:
        return "-"
    return f"{fraction * 100:.4g} %" if digits is None else f"{fraction * 100:,.{digits}f} %"


def sentences(rows: Sequence[dict[str, Any]], holding: dict[str, Any] | None) -> list[str]:
    """Say in words where buy-and-hold wins, and what cannot be compared."""
    outdated = [f"{row['strategy']} at {percent_of(row['reserve'], None)}" for row in rows if not row["is_current"]]
    sentences = []
    if outdated:
        named = ", ".join(outdated[:NAMED]) + (" and more" if len(outdated) > NAMED else "")
        sentences.append(f"Computed on older prices or settings, so not compared: {named}. A whole run updates them.")
    if holding is None:
        return [
            *sentences,
            (
                "The study has no buy-and-hold strategy, {}, at a reserve of 0, so nothing here is compared with "
                "buy-and-hold."
            ),
        ]
    rivals = [row for row in rows if not row["is_buy_and_hold"] and row["excess_over_buy_and_hold"] is not None]
    by_rule = [row for row in rivals if row["has_rule"]]
    without_rule = [row for row in rivals if not row["has_rule"]]
    return [*sentences, *_verdict(by_rule, holding), *_baseline(without_rule)]


def _verdict(rivals: Sequence[dict[str, Any]], holding: dict[str, Any]) -> Iterator[str]:
    """Say how the scenarios of the rule did against buy-and-hold; what differs by rounding alone is the same."""
    if not rivals:
        return
    more = sum(row["excess_over_buy_and_hold"] > SAME_RETURN for row in rivals)
    less = [row for row in rivals if row["excess_over_buy_and_hold"] < -SAME_RETURN]
    same = len(rivals) - more - len(less)
    best = max(rivals, key=lambda row: row["twr"])
    counts = [f"{count} {than}" for count, than in ((more, "more"), (same, "the same"), (len(less), "less")) if count]
    counts[0] = counts[0].replace(" ", " returned ", 1)
    wins = "beats the rule: it " if len(less) == len(rivals) else ""
    yield (
        f"Buy-and-hold {wins}returned {percent_of(holding['twr'])}. Of {counted(len(rivals), 'scenario')} of the rule, "
        f"{', '.join(counts)}. The best, {_place(best)}, returned {percent_of(best['twr'])}."
    )
    calmer = sum(
        _over(row["sharpe"], holding["sharpe"]) and _over(holding["volatility"], row["volatility"]) for row in less
    )
    if calmer:
        yield f"Of those that returned less, {calmer} had a higher Sharpe ratio and lower volatility than buy-and-hold."


def _baseline(without_rule: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say what rebalancing and the other portfolio rules returned by themselves."""
    if without_rule:
        best = max(without_rule, key=lambda row: row["twr"])
        yield (
            "Portfolio rules without the Synthetic Dividend: "
            f"the best, {_place(best)}, returned {percent_of(best['twr'])}."
        )


def about_withdrawals(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say how many scenarios paid less than what was due: what they kept is in their value."""
    due = [row for row in rows if row["withdrawals_scheduled"]]
    short = [row for row in due if not paid_all(row)]
    if short:
        yield (
            f"Of {counted(len(due), 'scenario')} with withdrawals, {len(short)} paid less than was due. "
            "What they kept back is part of their value, so compare what was withdrawn as well."
        )
    elif due:
        yield "Every withdrawal that fell due was paid."


def _taxes(study: dict[str, Any]) -> Iterator[str]:
    if study["tax_short_term"] is not None:
        yield "All of this is before taxes; report_strategy has values and returns after them."


def _place(row: dict[str, Any]) -> str:
    return f"{row['strategy']} at a reserve of {percent_of(row['reserve'], None)}"


def _over(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other
