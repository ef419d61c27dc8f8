"""What the report says about the study itself, and the tables of regimes, taxes and withdrawals; its colours."""

import datetime as dt
import importlib.metadata
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from reading import Element, parse
from support import lake_tables
from support.lake_tables import SESSIONS, insert

from pipelines.report import page
from pipelines.report.choice import choose
from pipelines.report.paid import paid_tables
from pipelines.report.performance import Days, read_days
from pipelines.report.strategies import described, lump_sums
from pipelines.report.verdicts import read_headline
from sd_core.schemas import TABLES

Report = Callable[..., str]
ROW = dict.fromkeys(TABLES["study_strategy"].columns)
RULE = ROW | {
    "rule_variant": "full",
    "rule_bracket": 2**0.125 - 1,
    "rule_profit_share": 0.5,
    "rule_sizing": "gain_share",
    "rule_order": "universe",
}


def terms_of(section: Element) -> dict[str, str]:
    names, texts = section.all("dt"), section.all("dd")
    return {one.text: other.text.replace("\u202f", " ") for one, other in zip(names, texts, strict=True)}


def test_study_is_named_with_its_dates_money_costs_assets_and_version(small_report: Report) -> None:
    main = parse(small_report()).one("main")
    section = main.one("section", id="study")
    found = terms_of(section)
    assert found["Period"].startswith(f"{SESSIONS[0]} to {SESSIONS[-1]}")
    assert found["Capital"] == "1 000 USD"
    assert found["Cash reserve"] == "0 %, 10 % of the capital left in cash at the start"
    assert {"sd8", "buy_and_hold", "Costs of a trade"} <= found.keys()
    _, *assets = section.one("table").rows()
    assert [row[0].text for row in assets] == ["AAA", "BBB"]
    product = f"SD Lab {importlib.metadata.version('sdlab')}"
    assert product in main.one("header").text
    assert product in main.one("footer").text


@pytest.mark.parametrize(
    ("row", "sentences"),
    [
        (
            RULE,
            "risen by 9.1 %, and buys a little back each time it has fallen by one such step; each sale takes out 50 %",
        ),
        (
            RULE | {"rule_variant": "ath_only"},
            "risen by 9.1 % since its last sale; never buys; each sale takes out 50 %",
        ),
        (
            RULE | {"rule_variant": "ath_sell", "rule_sizing": "symmetric"},
            "only at new highs; a sale is what is left of",
        ),
        (RULE | {"rule_stop": 0.25, "rebalance_every": "year"}, "halt after a drawdown of 25 %. Returns to its target"),
        (
            ROW | {"is_buy_and_hold": True, "dividends": "bank"},
            "at the first close and then trades nothing.",
        ),
        (ROW | {"rebalance_every": "year"}, "Returns to its target weights: every year."),
        (
            ROW
            | {
                "is_buy_and_hold": True,
                "withdrawals_rate": 0.04,
                "withdrawals_of": "value",
                "withdrawals_every": "month",
            },
            "trades nothing. Pays 4 % of the value a year, a part of it each month.",
        ),
        (
            ROW
            | {
                "withdrawals_amount": 2_000,
                "withdrawals_every": "month",
                "withdrawals_indexed": True,
                "withdrawals_on": '{"2024-03-01": 10000.0, "2025-03-01": 500.0}',
            },
            "Pays 2 000 each month, following prices. Pays 10 000 on 2024-03-01, 500 on 2025-03-01.",
        ),
        (
            ROW | {"allocation_weights": '{"VOO": 3, "BIL": 2}', "rebalance_every": "year"},
            "every year. Has target weights of its own: VOO 60.0 %, BIL 40.0 %.",
        ),
        (
            ROW | {"allocation_weights": str({f"T{n}": 1 for n in range(7)}).replace("'", '"')},
            "Has target weights of its own.",
        ),
    ],
)
def test_strategy_is_explained_in_a_sentence(row: dict[str, Any], sentences: str) -> None:
    assert sentences in described(row).replace("\u202f", " ")


def test_deposits_of_both_kinds_are_among_the_facts(small_report: Report) -> None:
    def give(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "update lake.study set deposit_amount = 50, deposit_every = 'month', "
            """deposit_on = '{"2024-01-03": 20000.0}'"""
        )

    facts = parse(small_report(give)).one("section", id="study").text.replace("\u202f", " ")
    assert "50 each month, 20 000 on 2024-01-03, in USD" in facts


def test_many_lump_sums_are_summed_up() -> None:
    written = str({f"2024-01-0{day}": 10.0 for day in range(1, 8)}).replace("'", '"')
    assert lump_sums(written) == "70 on 7 dates"
    assert lump_sums(None) == ""


def test_numbers_beneath_a_chart_are_those_of_the_last_session_of_each_year() -> None:
    # Four sessions in two years, drawn at two points: the year ends are there all the same.
    sessions = [dt.date(2023, 12, 28), dt.date(2023, 12, 29), dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    with lake_tables.connect() as connection:
        lake_tables.fill_small_study(connection)
        lake_tables.build_all(connection)
        choice = choose(read_headline(connection))
    with duckdb.connect() as connection:
        connection.execute("create macro share_of_value(part, value) as part / value")
        connection.execute("create table sessions as select unnest($1::date[]) as session", [sessions])
        connection.execute(
            "create table simulation_returns as select 'buy_and_hold' as strategy, 0.0 as reserve, "
            "unnest($1::date[]) as session, unnest([1.0, 1.2, 0.9, 1.1]::double[]) as twr_index, "
            "unnest([0.0, 0.0, -0.25, 1.1 / 1.2 - 1]::double[]) as drawdown",
            [sessions],
        )
        connection.execute(
            "create table simulation_daily as select strategy, reserve, session, 10.0::double as bank, "
            "100.0::double as value from simulation_returns"
        )
        days = Days(choice, read_days(connection, choice, points=1))
    assert [row[:2] for row in days.growth().rows] == [("2023-12-29", "1.200"), ("2024-01-03", "1.100")]
    assert [row[:2] for row in days.drawdown().rows] == [("2023-12-29", "0.0\u202f%"), ("2024-01-03", "−8.3\u202f%")]


def test_scenarios_are_shown_by_regime_with_the_numbers_of_the_table(small_report: Report) -> None:
    def regimes(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "insert into report_regime by name select 'sd8' as strategy, 0.1 as reserve, 'high_volatility' as regime, "
            "2 as sessions, 0.5 as session_share, 1 as episodes, 0.123 as mean_return, 0.2 as volatility, "
            "0.615 as sharpe, 0.55 as win_rate, 3 as trades"
        )
        connection.execute("insert into market_regime by name select session, 'bull' as regime from sessions")

    section = parse(small_report(change_tables=regimes)).one("section", id="regimes")
    _, row = next(one for one in section.all("table") if "sortable" in one.attributes.get("class", "")).rows()
    assert [cell.text.replace("\u202f", " ") for cell in row[1:]] == [
        "high volatility",
        "50.0 %",
        "12.3 %",
        "20.0 %",
        "0.61",
        "55.0 %",
        "3",
    ]


def test_after_tax_table_is_there_where_taxes_are(small_report: Report) -> None:
    assert "taxes" not in {one.attributes["id"] for one in parse(small_report()).all("section")}
    section = parse(small_report(lake_tables.add_taxes)).one("section", id="taxes")
    ranked, by_year = section.all("table")
    assert [cell.text for cell in by_year.rows()[0]] == ["year", "sd8, reserve 10\u202f%"]
    names, *rows = ([cell.text for cell in row] for row in ranked.rows())
    assert names[:2] == ["strategy", "reserve"]
    assert [row[0] for row in rows] == ["sd8"]


def test_after_tax_table_has_growth_per_year_and_puts_who_fell_short_last(small_report: Report) -> None:
    change = (
        "update report_strategy set is_of_a_year = true, paid_in_full = strategy <> 'sd8', taxes = 1, cagr = 0.08, "
        "after_tax_value = 10, after_tax_liquidation_value = if(strategy = 'sd8', 9, 8), after_tax_cagr = 0.0612, "
        "after_tax_liquidation_cagr = 0.0534"
    )
    section = parse(small_report(change_tables=lambda con: con.execute(change))).one("section", id="taxes")
    names, *rows = ([cell.text for cell in row] for row in section.all("table")[0].rows())
    assert rows[-1][0] == "sd8"
    shown = dict(zip(names, rows[-1], strict=True))
    assert shown["per year (CAGR)"] == "8.0\u202f%"
    assert shown["per year after taxes"] == "6.1\u202f%"
    assert shown["per year after selling all, after taxes"] == "5.3\u202f%"


def test_withdrawals_are_beside_the_income_of_their_year() -> None:
    with lake_tables.connect() as connection:
        lake_tables.fill_small_study(connection)
        # Of sd8: a dividend of 10 and interest of 0.5 received, 107 less 96 harvested; 43 paid out.
        paid = {"leg": 4, "kind": "WITHDRAWAL", "fee": 0.0, "amount": -43.0, "bank_after": 76.5, "seq": 99}
        insert(connection, "simulation_ledger", {"strategy": "sd8", "reserve": 0.1, "session": SESSIONS[2], **paid})
        lake_tables.build_all(connection)
        document = parse(f"<html>{paid_tables(connection, choose(read_headline(connection)), 'USD')}</html>")
    total, yearly = document.all("table")
    cells = ["43", "10", "11", f"{(10 + 0.5 + 107 - 96) / 43 * 100:.0f}\u202f%"]
    assert [cell.text for cell in total.rows()[1]][1:] == cells
    assert [cell.text for cell in yearly.rows()[1]] == ["2024", *cells]


# Colours


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by the formula of the Web Content Accessibility Guidelines 2.1."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_can_be_read_by_light_and_in_the_dark() -> None:
    # Black on white has 21, by the definition.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    css = (Path(page.__file__).parent / "report.css").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{([^}]+)\}", css)]
    assert len(schemes) == 2
    for colours in schemes:
        for text in ("text", "quiet", "link"):
            for background in ("page", "mark", "warn"):
                assert contrast(colours[text], colours[background]) >= 4.5, (text, background)
        # Legends and axes, which keep their dark ink.
        assert contrast("#333333", colours["plot"]) >= 4.5


def test_print_is_light_whatever_the_screen_is() -> None:
    css = (Path(page.__file__).parent / "report.css").read_text(encoding="utf-8")
    assert "@media screen and (prefers-color-scheme: dark)" in css
    assert css.count("prefers-color-scheme") == 1


def test_print_unfolds_what_is_folded_and_keeps_its_name() -> None:
    css = (Path(page.__file__).parent / "report.css").read_text(encoding="utf-8")
    in_print = css.partition("@media print {")[2]
    assert "details::details-content { content-visibility: visible" in in_print
    assert not re.search(r"summary[^{}]*\{[^}]*display: none", in_print)
