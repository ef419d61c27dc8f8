"""What a run found, in words: buy-and-hold first, then every strategy, then what to doubt.

The words are the same on a terminal and in the report. Reads the published warehouse only; how numbers are computed
belongs in ``sql``, how they are printed in ``pipelines.cli.headline``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.report.selection import selection_sentences
from pipelines.warehouse.records import records
from sd_core.study.satellites import LIVE, TWIN
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

_COMPARED = """
select report_equal_cash.*
from report_equal_cash
inner join study_strategy using (strategy)
order by study_strategy.position, report_equal_cash.reserve, report_equal_cash.comparison
"""

# From other start dates, all of which are a year or more before the last session.
_STARTS = """
select
    strategy,
    reserve,
    count(*) as starts,
    min(cagr) as worst,
    arg_min(start_session, cagr) as worst_start,
    max(cagr) as best,
    arg_max(start_session, cagr) as best_start,
    count_if(not paid_in_full) as unpaid
from report_start_date
where cagr is not null
group by strategy, reserve
"""

# By what a study judges: the column, and its words.
MEASURES = {
    "cagr": ("cagr", "growth"),
    "sharpe": ("sharpe", "Sharpe ratio"),
    "withdrawals": ("withdrawals", "withdrawals paid"),
    "ending_value": ("final_value", "value at the end"),
}
# What is said of an asset is said of the scenario in which it came nearest to being bought.
_UNBOUGHT = """
select
    unbought.ticker,
    count(*) as scenarios,
    count(unbought.bought_on) as later,
    arg_max(
        struct_pack(price := price, lot_size := unbought.lot_size, cost := lowest_cost, budget := budget), budget
    ) as nearest,
    min(unbought.first_session) as first_session
from report_unbought as unbought
inner join study_asset using (ticker)
group by unbought.ticker, study_asset.position
order by study_asset.position
"""

_TWINS = "from report_bucket_twin where bucket <> 'core' order by bucket"
HARVEST_NOTE = "Sales of the rule, less its purchases, are money taken out of the holdings, not a yield."
SHORT_NOTE = (
    "This is less than a year. What is stated per year, and the Sharpe ratio, is put on a year: no rate that lasted."
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
        compared: every row of report_equal_cash, in the study's order.
        sentences: whether the best of all that was tried is luck, where buy-and-hold wins, and what cannot be compared.
        reserves: which reserve is the best, in a sentence for each verdict that the bootstrap samples allow.
        undecided: how many verdicts they do not allow.
        plans: what each plan of a core and satellites came to, in a sentence or two.
        accounts: what the account's books came to, and its satellites beside their twins.
        findings: about the prices of single tickers, in a sentence each.
    """

    study: dict[str, Any]
    title: str
    notices: list[str]
    rows: list[dict[str, Any]]
    holding: dict[str, Any] | None
    chosen: list[Chosen]
    notes: list[str]
    compared: list[dict[str, Any]]
    sentences: list[str]
    reserves: list[str]
    undecided: int
    plans: list[str]
    accounts: list[str]
    findings: list[str]


def read_headline(connection: duckdb.DuckDBPyConnection) -> Headline:
    """Read the headline of a warehouse."""
    study = records(connection, "from study")[0]
    rows = records(connection, _ROWS)
    holding = next((row for row in rows if row["is_buy_and_hold"] and row["reserve"] == 0), None)
    first, last = min(row["first_session"] for row in rows), max(row["last_session"] for row in rows)
    findings = records(connection, "from report_data_quality order by ticker, first_session, rule, detail")
    judged = records(connection, _JUDGED)
    compared = records(connection, _COMPARED)
    books = records(connection, "from report_book order by book")
    return Headline(
        study,
        title=f"{study['name']}: {study['capital']:,.0f} {study['currency']} from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        notices=[*(row["detail"] for row in findings if row["ticker"] is None), *_unbought(connection, study)],
        rows=rows,
        holding=holding,
        chosen=_chosen(rows, holding),
        notes=[
            HARVEST_NOTE,
            *([] if all(row["is_of_a_year"] for row in rows) else [SHORT_NOTE]),
            *([REBALANCING_NOTE] if any(row["has_rule"] and row["is_rebalanced"] for row in rows) else []),
        ],
        compared=compared,
        sentences=[
            *selection_sentences(connection, study["judge_by"]),
            *sentences(rows, holding, compared, study["judge_by"]),
            *about_starts(rows, holding, records(connection, _STARTS)),
            *about_withdrawals(rows),
            *_taxes(study),
            *_on_paper(records(connection, "from report_paper")),
        ],
        reserves=[row["verdict"] for row in judged if row["conclusion"] != "undecided"],
        undecided=sum(row["conclusion"] == "undecided" for row in judged),
        plans=[_plan(row) for row in books if row["core_strategy"] is not None],
        accounts=[
            *(_account(row, study["currency"]) for row in books if _is_of_ledger(row)),
            *(_twin(row) for row in records(connection, _TWINS)),
        ],
        findings=[row["detail"] for row in findings if row["ticker"] is not None],
    )


def _unbought(connection: duckdb.DuckDBPyConnection, study: dict[str, Any]) -> list[str]:
    """Say which assets the first purchases could not buy: scenarios hold cash in their place."""
    currency = study["currency"]
    return [
        f"{row['ticker']} could not be bought on {row['first_session']:%Y-%m-%d} in "
        f"{counted(row['scenarios'], 'scenario')}: the least that trades, {row['nearest']['lot_size']:g} at "
        f"{row['nearest']['price']:,.2f}, costs {row['nearest']['cost']:,.2f} {currency}, and the budget was "
        f"{row['nearest']['budget']:,.2f} at most. "
        + (f"{row['later']} bought it later. " if row["later"] else "")
        + "Its share lies in cash (report_unbought)."
        for row in records(connection, _UNBOUGHT)
    ]


def _plan(book: dict[str, Any]) -> str:
    """Say what a plan came to beside its core alone, and the most that its satellites could lose."""
    return (
        f"{book['book']}: {percent_of(book['cagr'])} a year, a Sharpe ratio of {ratio_of(book['sharpe'])}, a worst "
        f"drawdown of {percent_of(book['max_drawdown'])}. Its core alone, {book['core_strategy']} at a reserve of "
        f"{percent_of(book['core_reserve'], None)}: {percent_of(book['core_cagr'])}, {ratio_of(book['core_sharpe'])} "
        f"and {percent_of(book['core_max_drawdown'])}. Satellites were {percent_of(book['mean_satellite_share'])} of "
        f"it on average and {percent_of(book['highest_satellite_share'])} at most: the most that they could lose."
    )


def _is_of_ledger(book: dict[str, Any]) -> bool:
    """Return whether a book is the account or on paper: no plan, and no twin, which is named beside its bucket."""
    return book["core_strategy"] is None and not book["book"].startswith(TWIN)


def _account(book: dict[str, Any], currency: str) -> str:
    """Say what a book of the account's ledger is worth, and what it came to since its first mark."""
    grown = f"{percent_of(book['cagr'])} a year" if book["is_of_a_year"] else f"{percent_of(book['twr'])}, no full year"
    said = (
        f"{book['book']}: {money_of(book['final_value'])} {currency} on {book['last_session']:%Y-%m-%d}; since "
        f"{book['first_session']:%Y-%m-%d} {grown}, a worst drawdown of {percent_of(book['max_drawdown'])}."
    )
    if book["book"] != LIVE:
        return said
    now, most = percent_of(book["satellite_share"]), percent_of(book["highest_satellite_share"])
    return f"{said} Satellites are {now} of it, and were {most} at most."


def _twin(row: dict[str, Any]) -> str:
    """Say how a satellite of the account did beside its twin, or why it has none."""
    if row["missing"] is not None:
        return f"{row['bucket']} has no twin: {row['missing']}."
    return (
        f"{row['bucket']} has returned {percent_of(row['twr'])} since {row['since']:%Y-%m-%d}, its twin, which keeps "
        f"to the rules alone, {percent_of(row['twin_twr'])}; {counted(row['sessions'], 'session')} marked."
    )


def _chosen(rows: Sequence[dict[str, Any]], holding: dict[str, Any] | None) -> list[Chosen]:
    chosen = [Chosen("buy-and-hold", holding)] if holding else []
    strategies: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        strategies.setdefault(row["sweep"] or row["strategy"], []).append(row)
    for name, levels in strategies.items():
        levels.sort(key=demerit)
        if levels[0]["sweep"]:
            labels = [f"best of {name}", f"worst of {name}"]
        else:
            labels = ["only reserve"] if len(levels) == 1 else ["best reserve", "worst reserve"]
        if not levels[0]["paid_in_full"]:
            labels[0] = "did not pay all"
        ends = zip(labels, (levels[0], levels[-1]), strict=False)
        chosen += [Chosen(label, row) for label, row in ends if row is not holding]
    return chosen


def demerit(row: dict[str, Any]) -> tuple[bool, int, float]:
    """Return what sorts scenarios by their rank, the best first, and outdated ones last."""
    return row["rank"] is None, row["rank"] or 0, -row["twr"]


def best_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the best of some scenarios; None where none of them paid every withdrawal."""
    return min((row for row in rows if row["paid_in_full"]), key=demerit, default=None)


def withdrawn(row: dict[str, Any]) -> str:
    """Return the withdrawals paid per year, with their share of what fell due where not all was paid."""
    paid = money_of(row["withdrawals_per_year"])
    share = "" if row["paid_in_full"] else f" ({percent_of(row['withdrawals'] / row['withdrawals_scheduled'], 0)})"
    return paid + share


def ratio_of(number: float | None) -> str:
    """Return a ratio, such as that of Sharpe, or a dash for what is not known."""
    return "-" if number is None else f"{number:.2f}"


def money_of(amount: float | None) -> str:
    """Return an amount without cents, or a dash for what is not known."""
    return "-" if amount is None else f"{amount:,.0f}"


def percent_of(fraction: float | None, digits: int | None = 1) -> str:
    """Return a fraction in percent, with as many digits as it has where ``digits`` is None."""
    if fraction is None:
        return "-"
    # Rounding leaves no minus before a zero.
    return f"{fraction * 100:.4g} %" if digits is None else f"{round(fraction * 100, digits) + 0.0:,.{digits}f} %"


def sentences(
    rows: Sequence[dict[str, Any]],
    holding: dict[str, Any] | None,
    compared: Sequence[dict[str, Any]],
    judge_by: str,
) -> list[str]:
    """Say in words where buy-and-hold wins, whether it is the rule or its cash, and what cannot be compared.

    Args:
        rows: of report_strategy, with what the strategies are.
        holding: that of buy-and-hold; None where the study has none.
        compared: rows of report_equal_cash.
        judge_by: the measure that the study judges by.
    """
    outdated = [f"{row['strategy']} at {percent_of(row['reserve'], None)}" for row in rows if not row["is_current"]]
    said = []
    if outdated:
        named = ", ".join(outdated[:NAMED]) + (" and more" if len(outdated) > NAMED else "")
        said.append(f"Computed on older prices or settings, so not compared: {named}. A whole run updates them.")
    rivals = [row for row in rows if row["is_current"] and not row["is_buy_and_hold"]]
    by_rule = [row for row in rivals if row["has_rule"]]
    if holding is None:
        said.append(
            "The study has no buy-and-hold strategy, {}, at a reserve of 0, so nothing here is compared with "
            "buy-and-hold."
        )
    elif holding["is_current"] and by_rule:
        said.append(_verdict(by_rule, holding, judge_by))
    said += _at_equal_cash(best_of(by_rule), compared, judge_by)
    return [*said, *_baseline([row for row in rivals if not row["has_rule"]], judge_by)]


def _verdict(rivals: Sequence[dict[str, Any]], holding: dict[str, Any], judge_by: str) -> str:
    """Say how the scenarios of the rule did against buy-and-hold; what differs by rounding alone is the same."""
    outcomes = [_outcome(row, holding, judge_by) for row in rivals]
    wins = " beats the rule: it" if set(outcomes) == {"worse"} else ""
    best = best_of(rivals)
    # Two that look the same and are not have one digit more.
    alike = best and _said(best, judge_by) == _said(holding, judge_by)
    digits = 2 if best and alike and _outcome(best, holding, judge_by) in ("better", "worse") else 1
    end = (
        f"The best, {_place(best)}, {_said(best, judge_by, digits)}." if best else "None of them paid every withdrawal."
    )
    unpaid = "" if holding["paid_in_full"] else " and did not pay every withdrawal"
    return (
        f"Buy-and-hold{wins} {_said(holding, judge_by, digits)}{unpaid}. "
        f"Of {counted(len(rivals), 'scenario')} of the rule, {_counts(outcomes)} by {MEASURES[judge_by][1]}. {end}"
    )


def _outcome(row: dict[str, Any], holding: dict[str, Any], judge_by: str) -> str | None:
    """Return how a scenario did beside another: first by whether all was paid, then by the measure of the study."""
    if row["paid_in_full"] != holding["paid_in_full"]:
        return "better" if row["paid_in_full"] else "worse"
    measure = MEASURES[judge_by][0]
    if judge_by == "cagr" and not row["is_of_a_year"]:
        measure = "twr"  # put on a year, all losses of a few weeks are one of everything
    one, other = row[measure], holding[measure]
    if one is None or other is None:
        return None
    if is_same(one, other):
        return "the same"
    return "better" if one > other else "worse"


def is_same(one: float, other: float) -> bool:
    """Return whether two numbers differ by rounding alone."""
    return abs(one - other) <= SAME_RETURN * max(1.0, abs(other))


def _counts(outcomes: Sequence[str | None]) -> str:
    """Return how many did better, the same and worse."""
    counts = [(outcomes.count(outcome), outcome) for outcome in ("better", "the same", "worse")]
    found = [f"{count} {outcome}" for count, outcome in counts if count]
    return ", ".join([found[0].replace(" ", " did ", 1), *found[1:]]) if found else "none can be compared"


def _at_equal_cash(best: dict[str, Any] | None, compared: Sequence[dict[str, Any]], judge_by: str) -> Iterator[str]:
    """Say whether the rule did better than its cash path without it, and what a constant share of cash came to."""
    followed = [row for row in compared if row["comparison"] == "cash_path"]
    if not followed:
        return
    verdicts = [row["verdict"] for row in followed]
    yield (
        "Is it the rule, or its cash? Beside portfolios without the rule that hold, each month, the share of cash that "
        f"it had at the end of the month before, {_counts([row['outcome'] for row in followed])} by "
        f"{MEASURES[judge_by][1]}; of these {counted(len(followed), 'difference')} "
        f"{', '.join(_significance(verdicts, followed[0]['verdicts']))}."
    )
    own = {
        row["comparison"]: row
        for row in compared
        if best and (row["strategy"], row["reserve"]) == (best["strategy"], best["reserve"])
    }
    if best and "cash_path" in own:
        row = own["cash_path"]
        yield (
            f"{_place(best)}: {_both(row, best, '')}. Its cash without the rule: {_both(row, best, 'comparison_')}."
            f"{_difference(row, judge_by)}"
        )
    if best and "rebalanced" in own:
        row = own["rebalanced"]
        yield (
            f"As much cash on average, {percent_of(row['comparison_mean_cash_share'], 0)}, rebalanced yearly: "
            f"{_both(row, best, 'comparison_')}. Such a share is known only afterwards, which favours the rule."
        )


def _significance(verdicts: Sequence[str | None], corrected: int) -> Iterator[str]:
    significant, small = sum(verdict in ("better", "worse") for verdict in verdicts), verdicts.count("too small")
    many = f", corrected for {corrected} verdicts" if corrected > 1 else ""
    yield f"{significant} {'is' if significant == 1 else 'are'} significant{many}"
    if small:
        yield f"{small} {'is' if small == 1 else 'are'} too small to matter"
    if None in verdicts:
        yield f"{verdicts.count(None)} cannot be judged"


def _difference(row: dict[str, Any], judge_by: str) -> str:
    """Say how large the difference is that a verdict is about, and how sure; nothing where there is no verdict."""
    if row["p_value"] is None:
        return ""
    of, factor, unit, digits = ("sharpe", 1, "", 3) if judge_by == "sharpe" else ("cagr", 100, " points", 2)
    size, low, high = (row[f"{of}_difference{end}"] * factor for end in ("", "_low", "_high"))
    verdict = row["verdict"] if row["verdict"] in ("too small", "not significant") else "significant"
    return f" The difference, {size:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f}), is {verdict}."


def _both(row: dict[str, Any], best: dict[str, Any], whose: str) -> str:
    """Return growth and Sharpe ratio of a scenario, or of the same cash."""
    value, sharpe = row[f"{whose}final_value"], row[f"{whose}sharpe"]
    growth = f"{percent_of(row[f'{whose}cagr'])} a year" if best["is_of_a_year"] else f"a value of {value:,.0f}"
    return growth if sharpe is None else f"{growth}, a Sharpe ratio of {sharpe:.3f}"


def _baseline(without_rule: Sequence[dict[str, Any]], judge_by: str) -> Iterator[str]:
    """Say what rebalancing and the other portfolio rules returned by themselves."""
    if best := best_of(without_rule):
        yield f"Portfolio rules without the Synthetic Dividend: the best, {_place(best)}, {_said(best, judge_by)}."


def _said(row: dict[str, Any], judge_by: str, digits: int = 1) -> str:
    """Return what a scenario came to, by the measure of the study; percentages with so many digits, ratios one more."""
    match judge_by:
        case "sharpe" if row["sharpe"] is None:
            return "had no Sharpe ratio"
        case "sharpe":
            return f"had a Sharpe ratio of {row['sharpe']:.{digits + 1}f}"
        case "withdrawals":
            return f"paid {row['withdrawals']:,.0f}"
        case "ending_value":
            return f"ended with {row['final_value']:,.0f}"
    growth, per = (row["cagr"], " a year") if row["is_of_a_year"] else (row["twr"], "")
    return f"returned {percent_of(growth, digits)}{per}"


def about_starts(
    rows: Sequence[dict[str, Any]], holding: dict[str, Any] | None, starts: Sequence[dict[str, Any]]
) -> Iterator[str]:
    """Say what the best scenario of the rule, and buy-and-hold, came to from their worst and their best start.

    Args:
        rows: of report_strategy, with what the strategies are.
        holding: that of buy-and-hold; None where the study has none.
        starts: worst and best start by scenario; none where the study asks for no other start dates.
    """
    by_scenario = {(row["strategy"], row["reserve"]): row for row in starts}
    best = best_of([row for row in rows if row["is_current"] and row["has_rule"]])
    shown = [row for row in (best, holding) if row and (row["strategy"], row["reserve"]) in by_scenario]
    found = [(row, by_scenario[row["strategy"], row["reserve"]]) for row in shown]
    if found:
        returned = "; ".join(
            f"{_place(row)} returned {percent_of(start['worst'])} a year at worst "
            f"(from {start['worst_start']:%Y-%m-%d}) and {percent_of(start['best'])} at best "
            f"(from {start['best_start']:%Y-%m-%d})"
            + (
                f", and did not pay every withdrawal from {counted(start['unpaid'], 'start')}"
                if start["unpaid"]
                else ""
            )
            for row, start in found
        )
        number = max(start["starts"] for _, start in found)
        yield f"From {counted(number, 'start date')}, which share sessions: {returned}."


def about_withdrawals(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say how many scenarios paid less than what was due: what they kept is in their value."""
    due = [row for row in rows if row["withdrawals_scheduled"]]
    short = [row for row in due if not row["paid_in_full"]]
    if short:
        yield (
            f"Of {counted(len(due), 'scenario')} with withdrawals, {len(short)} paid less than was due. "
            "What they kept back is part of their value, so compare what was withdrawn as well."
        )
    elif due:
        yield "Every withdrawal that fell due was paid."


def _on_paper(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say since when strategies on paper are out of sample, and which frozen decisions would be another one now."""
    for row in rows:
        place = f"{row['strategy']} at {percent_of(row['reserve'], None)}"
        if row["twr"] is not None:
            yield (
                f"On paper, {place} is out of sample from {row['out_of_sample_from']:%Y-%m-%d} on: "
                f"{percent_of(row['twr'])} in {counted(row['sessions'], 'session')}."
            )
        if row["changed"]:
            yield (
                f"Of the {counted(row['decisions'], 'frozen decision')} of {place}, {row['changed']} would be another "
                "one now: see paper_change."
            )


def _taxes(study: dict[str, Any]) -> Iterator[str]:
    if study["tax_short_term"] is not None:
        yield "All of this is before taxes; report_strategy has values and returns after them."


def _place(row: dict[str, Any]) -> str:
    return f"{row['strategy']} at a reserve of {percent_of(row['reserve'], None)}"
