"""What the report says, in which order: the headline first, then the charts, then every scenario."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from pipelines.report import history, market, page
from pipelines.report.attribution import attribution_figures
from pipelines.report.buckets import bucket_part
from pipelines.report.choice import Choice, choose
from pipelines.report.equal_cash import equal_cash_tables
from pipelines.report.factors import factor_tables
from pipelines.report.hours import class_correlations
from pipelines.report.living import living_note, living_table, paying
from pipelines.report.mixes import (
    RIVALS,
    compared_rows,
    compared_table,
    difference_figure,
    frontier_figure,
    frontier_sentence,
    holding_figures,
)
from pipelines.report.numbers import date, decimal, level, percent, typeset
from pipelines.report.paid import paid_tables
from pipelines.report.performance import Days, income_figures, read_days, reserve_figures
from pipelines.report.rebalancing import rebalancing_table
from pipelines.report.regimes import regime_table
from pipelines.report.scenarios import all_scenarios, headline_table, tax_table
from pipelines.report.selection import members_of_sets, rank_figures, selection_tables
from pipelines.report.signals import latest_table, quality_rows, quality_sentence, quality_table
from pipelines.report.starts import starts_table
from pipelines.report.stress import deployed_table, mix_stress_table, stress_table
from pipelines.report.study import study_part
from pipelines.report.verdicts import HARVEST_NOTE, SAME_RETURN, Headline, read_headline
from pipelines.warehouse.records import records
from sd_core.wording import counted

PRODUCT = f"SD Lab {importlib.metadata.version('sdlab')}"


@dataclass(frozen=True)
class Given:
    """What every section is made from."""

    connection: duckdb.DuckDBPyConnection
    headline: Headline
    choice: Choice
    days: Days

    @property
    def currency(self) -> str:
        """Currency of every amount."""
        return str(self.headline.study["currency"])


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        name: its anchor.
        title: its heading.
        tables: published tables that its numbers come from.
        write: returns its HTML; empty where the study has nothing to show there.
    """

    name: str
    title: str
    tables: tuple[str, ...]
    write: Callable[[Given], str]


def report(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the report of a published warehouse as HTML; the same warehouse gives the same bytes."""
    # Threads add up in an order of their own.
    connection.execute("set threads = 1")
    headline = read_headline(connection)
    choice = choose(headline)
    given = Given(connection, headline, choice, Days(choice, read_days(connection, choice)))
    written = [(one, one.write(given)) for one in SECTIONS]
    parts = [(one, text) for one, text in written if text]
    links = "".join(f'<li><a href="#{one.name}">{one.title}</a></li>' for one, _ in parts)
    body = [
        _top(headline),
        f'<nav aria-label="Parts of the report"><ul>{links}</ul></nav>',
        *(page.section(one.name, one.title, text, _sources(one)) for one, text in parts),
        _end(headline),
    ]
    return page.document(f"{headline.study['name']}: what the strategies would have returned", "\n".join(body))


def _top(headline: Headline) -> str:
    name, _, rest = headline.title.partition(": ")
    return "".join(
        [
            f"<header><h1>{page.plain(name)}</h1>",
            page.paragraph(f"{typeset(rest)}; {PRODUCT}", "dates"),
            *(page.paragraph(typeset(notice), "notice") for notice in headline.notices),
            *(page.paragraph(typeset(sentence), "verdict") for sentence in headline.sentences),
            "</header>",
        ]
    )


def _sources(section: Section) -> str:
    plural = "s" if len(section.tables) > 1 else ""
    return page.paragraph(f"Numbers: table{plural} {', '.join(section.tables)}.", "quiet")


def _end(headline: Headline) -> str:
    versions = sorted({row["prices_version"][:12] for row in headline.rows})
    return (
        "<footer>"
        + page.paragraph(f"Made by {PRODUCT}. Prices of version {', '.join(versions)}.", "quiet")
        + "</footer>"
    )


def _headline(given: Given) -> str:
    notes = "".join(page.paragraph(note) for note in given.headline.notes)
    return headline_table(given.headline) + notes + _beside_benchmark(given.connection)


def _beside_benchmark(connection: duckdb.DuckDBPyConnection) -> str:
    """Say how many scenarios beat the benchmark, and over which sessions; empty where none was compared with it."""
    [found] = records(connection, _BENCHMARK, [SAME_RETURN])
    if not found["scenarios"]:
        return ""
    name = "the same assets in equal parts" if found["benchmark"] == "universe" else found["benchmark"]
    per_year = found["is_of_a_year"] and found["cagr"] is not None
    growth = f"{percent(found['cagr'])} a year" if per_year else percent(found["growth"])
    return page.paragraph(
        f"The benchmark, {name}, returned {growth} over the {decimal(found['sessions'])} sessions that it has in "
        f"common with the scenarios, {date(found['first_session'])} to {date(found['last_session'])}; "
        f"{decimal(found['better'])} of {decimal(found['scenarios'])} scenarios returned more."
    )


# Of a scenario that lost all there are fewer sessions; what is said is of one that was compared to the end.
_BENCHMARK = """
select
    any_value(benchmark) as benchmark,
    arg_max(benchmark_cagr, sessions) as cagr,
    arg_max(benchmark_return, sessions) as growth,
    arg_max(is_of_a_year, sessions) as is_of_a_year,
    max(sessions) as sessions,
    min(first_session) as first_session,
    max(last_session) as last_session,
    count(*) filter (where excess_over_benchmark > $1) as better,
    count(*) as scenarios
from report_benchmark
"""


def _introduced(words: str, found: str) -> str:
    """Return tables below what they are, or nothing where there are none."""
    return page.paragraph(words) + found if found else ""


def _study(given: Given) -> str:
    return study_part(given.connection, given.headline)


def _growth(given: Given) -> str:
    if given.days.empty:
        return ""
    withdrawn = (
        " Money that came in or went out is no return." if given.headline.study["deposit_invest"] is not None else ""
    )
    return (
        page.paragraph(given.choice.how)
        + page.paragraph(f"Equal distances upwards are equal percentages.{withdrawn}")
        + page.figure(given.days.growth())
        + page.figure(given.days.drawdown(), legend=False)
        + page.figure(given.days.cash(), legend=False)
    )


def _years(given: Given) -> str:
    found = history.year_tables(given.connection, given.choice, given.currency)
    words = (
        "Time-weighted returns: money that came in or went out is no return. Years in part are marked: the first one "
        "begins at the first purchase."
    )
    return _introduced(words, found)


def _rolling(given: Given) -> str:
    found = history.rolling_table(given.connection, given.choice)
    words = "Every 12 and every 36 whole months in a row. They overlap, so they are not independent of each other."
    return _introduced(words, found)


def _starts(given: Given) -> str:
    found = starts_table(given.connection)
    words = (
        "Each strategy at its best reserve, as if it had started with the same capital on another date. All starts end "
        "on the same session and neighbouring ones share most of theirs, so they are not independent of each other."
    )
    return _introduced(words, found)


def _drawdowns(given: Given) -> str:
    found = history.drawdown_table(given.connection, given.choice)
    words = "Of the time-weighted growth, so that a withdrawal is no loss: the five deepest of each, and its longest."
    return _introduced(words, found)


def _mixes(given: Given) -> str:
    rows = compared_rows(given.connection, given.headline)
    words = (
        "Each strategy with a mix at its best reserve: beside the same on equal weights, to which it returns whenever "
        "the mix decides, and beside the study's weights bought once. Intervals are those of paired bootstrap samples; "
        "p-values are corrected for all verdicts of the study. A mix that was the best of many looks better than it is."
    )
    drawn = [figure for name in RIVALS if (figure := difference_figure(rows, name)) is not None]
    held = holding_figures(given.connection)
    frontier = frontier_figure(given.connection)
    frontiers = (
        "Portfolios of the least volatility for their expected return, drawn on two years of returns, and what the "
        f"same portfolios returned in the year after. {frontier_sentence(given.connection)}"
    )
    return (
        _introduced(words, compared_table(rows) + page.figures(drawn) if rows else "")
        + (page.figures(held) if held else "")
        + _introduced(frontiers, "" if frontier is None else page.figure(frontier))
    )


def _signals(given: Given) -> str:
    quality = quality_rows(given.connection)
    if not quality:
        return ""
    words = (
        f"{quality_sentence(quality)} Values at the end of each month beside the returns that followed, from the next "
        "close on: t is that of the mean rank correlation, and 3 or more in size, either way, counts. Of many signals "
        "that are tried some reach 2 by luck. Spreads are before costs."
    )
    return _introduced(words, quality_table(quality) + latest_table(given.connection))


def _stress(given: Given) -> str:
    words = (
        "The benchmark's five deepest drawdowns, each from its peak to its trough, and the windows that the study "
        "names. Recovered is a scenario whose growth is back where it was at the beginning."
    )
    deployed = (
        "The capital as if it had been deployed at the start of each year. Neighbouring starts share most of their "
        "sessions."
    )
    mixes = (
        "What the last target weights of each mix would do, held without trading: in the same falls, with a fall of "
        "the benchmark through their beta, on average in the worst 1 % of 21 sessions drawn in blocks, and where the "
        "largest holding falls. Betas, correlations and the copula are those of the last two years; in falls they are "
        "often higher."
    )
    return (
        _introduced(words, stress_table(given.connection, given.choice))
        + _introduced(mixes, mix_stress_table(given.connection))
        + _introduced(deployed, deployed_table(given.connection, given.choice))
    )


def _orders(given: Given) -> str:
    found = history.order_tables(given.connection, given.choice, given.currency)
    words = (
        "The next rung up and the next rung down of each asset, after the last session of the study. Whether the bank "
        "covers a purchase is said of each by itself. The command sdlab orders prints those of any scenario."
    )
    return _introduced(words, found)


def _income(given: Given) -> str:
    figures, without = income_figures(given.connection, given.choice, given.currency)
    parts = (
        [page.paragraph(HARVEST_NOTE), page.keys(figures[0].keys), page.figures(figures, legend=False)]
        if figures
        else []
    )
    if without:
        parts.append(page.paragraph(f"Little income, or none: {', '.join(without)}."))
    return "".join(parts)


def _reserve(given: Given) -> str:
    figures = reserve_figures(given.connection, given.headline, given.choice)
    if not figures:
        return ""
    verdicts = [row["verdict"] for row in records(given.connection, _VERDICTS)]
    histories = records(
        given.connection,
        "select max(histories) as histories, max(block_length) as block, max(years) as years from report_reserve",
    )[0]
    if histories["histories"]:
        band = (
            f"Intervals: 5th to 95th percentile over {decimal(histories['histories'])} bootstrap samples of "
            f"{decimal(histories['years'], 1)} years, in blocks of {decimal(histories['block'])} sessions on average. "
            "They say how far luck could have led a level, not which level is better: below, levels are compared "
            "within each sample."
        )
    else:
        band = "One past gives one value per level, without an interval."
    return (
        page.paragraph(band)
        + page.keys(figures[0].keys)
        + page.figures(figures, legend=False)
        + (page.details("Which reserve is the best?", page.bullets(map(typeset, verdicts))) if verdicts else "")
    )


_VERDICTS = """
select verdicts.verdict
from report_reserve_verdict as verdicts
inner join study_strategy using (strategy)
order by study_strategy.position, verdicts.measure desc
"""


def _paid(given: Given) -> str:
    found = paid_tables(given.connection, given.choice, given.currency)
    words = (
        "Covered: dividends, interest and net harvest over what was withdrawn. What they do not cover came from the "
        "reserve, from sales for the withdrawal, or from deposits."
    )
    return _introduced(words, found)


def _taxes(given: Given) -> str:
    found = tax_table(given.headline)
    words = (
        "The scenarios of the headline in the order of what is left after all is sold and taxed; those that fell short "
        "of a withdrawal come last. Taxes are owed outside of the portfolio: they are subtracted at the end and take "
        "nothing out of it before. Growth per year takes the tax of each year as a loss at its end."
    )
    if not found:
        return ""
    by_year = history.tax_table(given.connection, given.choice)
    owed = page.paragraph(f"What is owed for each year, in {given.currency}.") + by_year if by_year else ""
    return page.paragraph(words) + found + owed + _harvests(given)


_HARVESTS = """
select strategy, reserve, harvests, tax_saved, liquidation_tax_added, value_difference, gain
from report_harvest
inner join study_strategy using (strategy)
qualify row_number() over (partition by strategy order by gain desc, reserve) = 1
order by study_strategy.position
"""


def _harvests(given: Given) -> str:
    """Return a sentence on what harvesting losses came to for each strategy that does, at its best reserve."""
    said = [
        f"{row['strategy']} at {level(row['reserve'])} harvested {counted(row['harvests'], 'loss', 'losses')}: "
        f"{decimal(row['tax_saved'])} {given.currency} less tax so far, {decimal(row['liquidation_tax_added'])} more "
        f"on selling all, {decimal(row['value_difference'])} by prices and fees: {decimal(row['gain'])} in all."
        for row in records(given.connection, _HARVESTS)
    ]
    return page.paragraph(" ".join(["Beside the same without harvesting:", *said])) if said else ""


def _equal_cash(given: Given) -> str:
    found = equal_cash_tables(given.headline)
    words = (
        "Cash makes a portfolio calmer without any rule. Each strategy of the rule, at its best reserve, beside "
        "portfolios that hold as much cash and have no rule, with the same costs and money in and out. What is "
        "rebalanced yearly, or bought and held, has the same average share of cash, known only afterwards. The "
        "third returns each month to the share of the month before, so it could have been followed: it alone has a "
        "verdict. A share that is known only afterwards favours the rule: where prices rose it is high, and what held "
        "it from the first session missed the rise."
    )
    doubt = (
        "The interval holds 95 % of the differences when the sessions of this history are resampled in blocks, alike "
        "for both: what the order of this history could have made of the difference. It is no forecast, and it is of "
        "one difference by itself. Verdicts go by p-values that are corrected for all of them: a difference is "
        "significant where its corrected p-value is at most 4 %, and too small where it would not matter if it were."
    )
    return page.paragraph(words) + found + page.paragraph(doubt) if found else ""


def _selection(given: Given) -> str:
    found = selection_tables(given.connection)
    if not found:
        return ""
    words = (
        "The best of many looks better than it is, because it was chosen for how it did. Three tests look at the "
        "difference to buy-and-hold: the p-value of no scenario being better (test of superior predictive ability, "
        "SPA); the probability that the best is better than luck makes the best of as many (deflated Sharpe ratio); "
        "and how often the best of one half of the time is no better than the median in the other half (probability "
        "of backtest overfitting, PBO). The best is distinguished from luck with a p-value of at most 0.05, a deflated "
        "ratio of at least 0.95 and a PBO below 0.5."
    )
    tried = "Every rule ever simulated on the study counts, also one that is no longer in it (selection_trial)."
    sets = "".join(page.paragraph(typeset(sentence)) for sentence in members_of_sets(given.connection))
    ranks = rank_figures(given.connection)
    doubt = (
        "The sessions are cut into 16 blocks, and each choice of 8 of them is one split. A best that is luck has any "
        "rank in the other half; one that lasts has ranks near 1."
    )
    shown = page.paragraph(doubt) + page.figures(ranks) if ranks else ""
    return page.paragraph(words) + found + page.paragraph(tried) + sets + shown


def _living(given: Given) -> str:
    rows = paying(given.connection)
    if not rows:
        return ""
    words = (
        "How likely withdrawals are paid to the end of the bootstrap samples, each strategy at the reserve with its "
        "highest safe rate. Safe is the highest yearly rate of the capital that 95 % of the samples pay. Intervals are "
        "the Monte Carlo error of so many samples; that the future may differ from the past is not in them. "
        f"{living_note(given.connection)}"
    )
    return page.paragraph(typeset(words)) + living_table(rows, given.currency)


def _rebalancing(given: Given) -> str:
    found = rebalancing_table(given.connection, given.headline)
    words = (
        "Each at its best reserve, beside buy-and-hold at the same one. Turnover is half of what was bought and sold, "
        "relative to the mean value."
    )
    return _introduced(words, found)


def _factors(given: Given) -> str:
    found = factor_tables(given.connection, given.choice)
    words = (
        "Excess returns regressed on those of the study's factors. Alpha is what the factors do not explain, with its "
        "95 % interval; verdicts go by p-values corrected for all scenarios."
    )
    return _introduced(words, found)


def _regimes(given: Given) -> str:
    strip = market.regime_strip(given.connection)
    if strip is None:
        return ""
    words = (
        "Of the benchmark, from what was known at each session. Each month has the colour of its most frequent regime."
    )
    found = regime_table(given.connection, given.choice)
    after = "What each scenario did on the sessions after one of each regime; the mean is annualised, not compounded."
    return page.paragraph(words) + page.figure(strip) + (page.paragraph(after) + found if found else "")


def _correlation(given: Given) -> str:
    heat_map = market.correlation_heat_map(given.connection)
    history = market.correlation_history(given.connection)
    hours = class_correlations(given.connection)
    if heat_map is None and not history and not hours:
        return ""
    words = (
        "Assets that move together fall together. The average is over all pairs; it is low or high relative to its "
        "past at the time."
    )
    parts = [page.figure(one) for one in (*history, heat_map) if one is not None]
    within = (
        "Average correlation of asset classes by the length of a return, from hourly closes on UTC. Where the hours of "
        "two exchanges begin at other minutes, correlations of short returns come out too close to 0."
    )
    return page.paragraph(words) + "".join(parts) + _introduced(within, hours)


def _attribution(given: Given) -> str:
    figures = attribution_figures(given.connection, given.choice, given.currency)
    if not figures:
        return ""
    words = "The profit of each asset, and of the bank, over the whole period. Every chart has a scale of its own."
    return page.paragraph(words) + page.keys(figures[0].keys) + page.figures(figures, legend=False)


def _all(given: Given) -> str:
    found, left_out = all_scenarios(given.headline)
    more = f" {decimal(left_out)} of lower rank are left out; they are in the table." if left_out else ""
    return page.paragraph(f"Every strategy at every reserve.{more}") + found


def _buckets(given: Given) -> str:
    return bucket_part(given.connection, given.headline)


def _findings(given: Given) -> str:
    findings = given.headline.findings
    if not findings:
        return ""
    listed = page.bullets(map(typeset, findings[:MOST_FINDINGS]))
    more = len(findings) - MOST_FINDINGS
    return listed + (page.paragraph(f"And {decimal(more)} more.") if more > 0 else "")


MOST_FINDINGS = 100

SECTIONS = (
    Section("headline", "In short", ("report_strategy", "report_benchmark"), _headline),
    Section("equal_cash", "Is it the rule, or just the cash?", ("report_equal_cash", "report_strategy"), _equal_cash),
    Section("selection", "Better, or lucky?", ("selection_test", "selection_member", "selection_split"), _selection),
    Section("study", "The study", ("study", "study_asset", "study_strategy"), _study),
    Section("growth", "Growth, drawdown and cash", ("simulation_returns", "simulation_daily"), _growth),
    Section("years", "Calendar years", ("report_calendar_year",), _years),
    Section("drawdowns", "Worst drawdowns", ("report_drawdown",), _drawdowns),
    Section("stress", "Under stress", ("report_stress", "stress_mix", "stress_start"), _stress),
    Section("mixes", "Did deciding on weights pay?", ("report_mix", "mix_weight", "mix_fit", "mix_frontier"), _mixes),
    Section("signals", "Did signals predict anything?", ("report_signal", "signal"), _signals),
    Section("rolling", "Months in a row", ("report_rolling_return",), _rolling),
    Section("starts", "Other start dates", ("report_start_date", "report_strategy"), _starts),
    Section("income", "Income", ("simulation_income",), _income),
    Section("paid", "Withdrawals against income", ("simulation_ledger", "simulation_income"), _paid),
    Section("taxes", "After taxes", ("report_strategy", "simulation_taxes", "report_harvest"), _taxes),
    Section("reserve", "Which reserve?", ("report_reserve", "report_strategy", "report_reserve_verdict"), _reserve),
    Section("living", "Living from it", ("report_withdrawal", "report_safe_withdrawal"), _living),
    Section("rebalancing", "When to rebalance?", ("report_rebalancing",), _rebalancing),
    Section("attribution", "Where profit came from", ("report_attribution",), _attribution),
    Section("factors", "What factors explain", ("report_factor", "factor_exposure"), _factors),
    Section("regimes", "Regimes of the market", ("market_regime", "report_regime"), _regimes),
    Section(
        "correlation",
        "How assets move together",
        ("correlation_pair", "correlation_regime", "correlation_class"),
        _correlation,
    ),
    Section("orders", "Next orders", ("report_next_order",), _orders),
    Section(
        "buckets",
        "Core and satellites",
        ("report_book", "report_bucket", "bucket_regime", "report_bucket_twin"),
        _buckets,
    ),
    Section("scenarios", "All scenarios", ("report_strategy",), _all),
    Section("findings", "Findings about the prices", ("report_data_quality",), _findings),
)
