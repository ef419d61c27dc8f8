"""What a run prints: on a page of 80 columns, the best first, every word explained, with commands that work there."""

import io
import logging.config
import re
import shlex
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from rich.console import Console
from support.lab import PROJECT, Lab, Outcome

from pipelines.cli.commands import command_line, shown_path
from pipelines.cli.headline import print_headline
from pipelines.cli.main import main
from pipelines.cli.query import _rounded
from pipelines.orchestration.progress import ProgressHandler

NAMES = ["reserve", "value", "CAGR", "Sharpe", "drawdown", "cash", "earned", "sales"]


def printed(lab: Lab, width: int, *changes: str) -> str:
    """Return what is shown of a published warehouse, changed in memory, on a terminal of some width."""
    console = Console(width=width, file=io.StringIO())
    with duckdb.connect() as connection:
        connection.execute(f"attach '{lab.published}' as published (read_only)")
        connection.execute("copy from database published to memory")
        for change in changes:
            connection.execute(change)
        print_headline(console, connection)
    return console.file.getvalue()  # type: ignore[attr-defined]


def rows_of(text: str) -> list[list[str]]:
    """Return the rows of the table as words."""
    _, _, table = text.partition("strategy ")
    return [line.split() for line in table.split("\n\n")[0].splitlines()[1:]]


def test_every_line_but_paths_and_commands_fits_a_page_of_80_columns(ran: tuple[Lab, Outcome]) -> None:
    _, outcome = ran
    text, _, next_steps = outcome.out.partition("report:  ")
    assert max(map(len, text.splitlines())) <= 80
    assert all(line[:2] == "  " for line in next_steps.splitlines() if len(line) > 80 and "/small" not in line[:80])


def test_rows_come_in_the_order_of_growth_with_paid_withdrawals_before_unpaid(finished: Lab) -> None:
    rows = rows_of(printed(finished, 80))
    growth = [float(row[4]) for row in rows]
    assert len(growth) == 6
    assert growth == sorted(growth, reverse=True)
    # The one that grew most falls short of what was due, and so comes last.
    [best, *_] = rows
    due = "update report_strategy set withdrawals_scheduled = 100, withdrawals = 100, withdrawals_per_year = 50"
    unpaid = f"""
        update report_strategy set withdrawals = 60, withdrawals_per_year = 30, paid_in_full = false, rank = 99
        where strategy = '{best[0]}' and reserve = {best[1]} / 100
    """
    swapped = rows_of(printed(finished, 80, due, unpaid))
    assert swapped[-1][:2] == best[:2]
    assert swapped[-1][4:7] == ["30", "(60", "%)"]
    assert swapped[0][4] == "50"


def test_money_paid_earned_and_sold_is_apart_on_a_page_of_80_columns(finished: Lab) -> None:
    text = printed(
        finished,
        80,
        "update report_strategy set withdrawals_scheduled = 80000, withdrawals = 80000, withdrawals_per_year = 40000, "
        "dividends_and_interest_per_year = 12345.6, harvest_net_per_year = -678.4",
    )
    assert max(map(len, text.splitlines())) <= 80
    rows = rows_of(text)
    assert len(rows) == 6
    assert all(row[4] == "40,000" and row[-2:] == ["12,346", "-678"] for row in rows)


def test_every_column_is_explained_in_a_line(finished: Lab) -> None:
    text = printed(finished, 80)
    header = next(line for line in text.splitlines() if line.startswith("strategy "))
    assert header.split() == ["strategy", *NAMES]
    explained = [line.split()[0] for line in text.splitlines() if line[:10].strip() in NAMES]
    assert explained == NAMES


def test_less_than_a_year_is_not_annualised(finished: Lab) -> None:
    text = printed(finished, 80, "update report_strategy set is_of_a_year = false")
    assert "CAGR" not in text
    assert "This is less than a year." in text
    row = next(row for row in rows_of(text) if row[:2] == ["sd8", "0"])
    twr = finished.table("report_strategy").set_index(["strategy", "reserve"]).loc[("sd8", 0.0), "twr"]
    assert row[4] == f"{twr * 100:.1f}"


@pytest.mark.parametrize("width", [40, 60])
def test_nothing_of_the_headline_is_cut_off_on_a_narrow_terminal(finished: Lab, width: int) -> None:
    text = printed(finished, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


# What to do next


def test_next_commands_work_in_the_folder_in_which_the_reader_is(
    finished: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.study_file.parent)
    monkeypatch.setenv("SD_HOME", "home with space")
    monkeypatch.setenv("PATH", "/nowhere")
    home, program, command, *option = shlex.split(command_line(finished.home, "query"))
    assert home == "SD_HOME=home with space"
    assert Path(program).name == "sdlab"
    assert [command, *option] == ["query", "--study", "small.yaml"]
    assert shown_path(finished.published) == str(finished.published.relative_to(Path.cwd()))
    monkeypatch.chdir(finished.root)
    assert shlex.split(command_line(finished.home, "query"))[-1] == str(finished.study_file)


def test_time_that_a_run_took_is_its_last_word(lab: Lab) -> None:
    assert lab.sdlab("run").err.splitlines()[-1].startswith("took ")


# While it runs


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_outlives_a_configuration_of_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressHandler() as handler:
        # Python closes every handler that there is, as it does when Dagster opens a run.
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
        before = len(terminal.getvalue())
        handler._show("scenarios simulated", 3, 6)
        handler._bar.refresh()  # type: ignore[union-attr]
    assert "scenarios simulated" in terminal.getvalue()[before:]


# The command line itself


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    [declared] = re.findall(r'^version = "(.+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    assert capsys.readouterr().out == f"sdlab {declared}\n"


def test_program_alone_prints_its_help(lab: Lab) -> None:
    outcome = lab.sdlab()
    assert outcome.code == 0
    for command in ("run", "ui", "query", "check", "--version"):
        assert command in outcome.out


@pytest.mark.parametrize(
    ("typed", "meant"), [(["rnu"], "run"), (["quer", "from study"], "query"), (["run", "--slect", "sd8"], "--select")]
)
def test_slip_in_a_command_is_met_with_what_was_meant(
    typed: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(typed)
    assert end.value.code == 2
    assert f"(did you mean {meant}?)" in capsys.readouterr().err


def test_slip_in_a_selection_is_met_with_what_was_meant(lab: Lab) -> None:
    outcome = lab.sdlab("run", "--select", "ath_onyl")
    assert outcome.code == 2
    assert "--select ath_onyl (did you mean ath_only?)" in outcome.err


# Questions


def test_numbers_on_a_terminal_have_four_digits_and_no_less_than_cents() -> None:
    with duckdb.connect() as connection:
        rows = connection.sql(
            "select 0.182534::double as a, 25282841.2345::double as b, 1.23456::double as c, -0.00012345::double as d, "
            "0::double as e, 'inf'::double as f, null::double as g, 12.3456::decimal(9, 4) as h, 3 as i"
        )
        [found] = _rounded(rows).fetchall()
    assert found == (0.1825, 25282841.23, 1.235, -0.0001234, 0, float("inf"), None, Decimal("12.3456"), 3)


def test_columns_of_one_name_are_shown_as_they_are() -> None:
    with duckdb.connect() as connection:
        assert _rounded(connection.sql("select 1.23456::double as a, 2 as A")).fetchall() == [(1.23456, 2)]


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("from prices where ticker = 'AAB'", "small has no 'AAB': did you mean 'AAA'?\n"),
        ("from report_strategy where strategy = 'SD8' and reserve = 0", "small has no 'SD8': did you mean 'sd8'?\n"),
        ("from prices where ticker = 'ZZZZZ'", ""),
        # Where there are rows, words of other kinds are no slips.
        ("select 'sd' as name", ""),
    ],
)
def test_query_without_rows_asks_what_a_name_meant(finished: Lab, sql: str, hint: str) -> None:
    outcome = finished.sdlab("query", sql)
    assert (outcome.code, outcome.err) == (0, hint)
