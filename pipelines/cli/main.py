"""The command line: ``sdlab run | status | ui | query | orders | check | bucket``.

Each command opens one study, does its work through the modules beside this one, and ends with 0 (done), 1 (the run
failed), 2 (the input was refused) or 130 (interrupted).
"""

import argparse
import contextlib
import functools
import importlib.metadata
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pipelines.cli.bucket_options import add_bucket_commands
from pipelines.cli.endings import ended, say
from pipelines.cli.exit_code import ExitCode
from sd_core.errors import InputError
from sd_core.wording import did_you_mean


def main(arguments: Sequence[str] | None = None) -> ExitCode:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A letter that the output cannot take is no reason to end: a ? is written for it.
        sys.stdout.reconfigure(errors="replace")

    def command() -> ExitCode:
        parsed = _parser().parse_args(arguments)
        _require_folder()
        return ended(functools.partial(parsed.command, parsed), reads=parsed.reads)

    return ended(command, reads=True)


def _require_folder() -> None:
    """Refuse a current folder that was deleted: libraries that ask for it end in errors of their own."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise InputError("the current folder was deleted: expected one that is there: change to it with cd") from None


class _Parser(argparse.ArgumentParser):
    """A parser that asks, of a command or an option it does not know, whether a similar one was meant."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and how the command is used; end with 2."""
        if unknown := _UNKNOWN.search(message):
            message += did_you_mean(unknown["word"], [*_commands(self), *_options(self)])
        super().error(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help, a version or what is wrong; argparse itself ignores that an output takes nothing."""
        if file in (None, sys.stderr):
            say(message.removesuffix("\n"))
        else:
            file.write(message)
            file.flush()


_UNKNOWN = re.compile(r"(invalid choice: '|unrecognized arguments: )(?P<word>[^'\s]+)")


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    choices = (action.choices for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001
    return next(choices, {})


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for one in (parser, *_commands(parser).values()):
        for action in one._actions:  # noqa: SLF001
            yield from action.option_strings


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="sdlab", description="Backtests of Synthetic Dividend portfolios, in tables to query.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {importlib.metadata.version('sdlab')}")
    parser.set_defaults(command=functools.partial(_print_help, parser), reads=True)
    commands = parser.add_subparsers(metavar="COMMAND")
    study = _Parser(add_help=False)
    study.add_argument(
        "--study", metavar="FILE", help="a study file, or the name of one in studies/ (default: $SD_STUDY, or demo)"
    )

    run = commands.add_parser("run", parents=[study], help="bring the study up to date and print what it found")
    what = run.add_mutually_exclusive_group()
    what.add_argument("--fresh", action="store_true", help="compute everything, whether it is outdated or not")
    what.add_argument(
        "--select",
        metavar="WHAT",
        help="only some simulations: a partition (r10|sd8), a strategy (sd8) or a reserve (r10), then the warehouse; "
        "the bootstrap samples of the reserve question (reserve_bootstrap), then the warehouse; or only one asset "
        "(raw_prices, prices, simulations, report_strategy)",
    )
    run.set_defaults(command=_run, reads=False)

    ui = commands.add_parser("ui", parents=[study], help="open Dagster's web page and run its schedules")
    ui.add_argument(
        "--port", type=int, default=3000, help="port on 127.0.0.1, 0 for any that is free (default: %(default)s)"
    )
    ui.set_defaults(command=_ui, reads=False)

    query = commands.add_parser("query", parents=[study], help="ask the published warehouse in SQL")
    query.add_argument("sql", metavar="SQL")
    query.add_argument("--out", metavar="FILE", type=Path, help="write the rows to a CSV file, once all are there")
    query.add_argument(
        "--memory",
        metavar="GB",
        type=_positive,
        help="how much memory it may take (default: 4, or 80 %% of the machine's)",
    )
    query.add_argument(
        "--seconds", metavar="N", type=_positive, default=600.0, help="how long it may take (default: %(default)g)"
    )
    query.set_defaults(command=_query, reads=True)

    orders = commands.add_parser(
        "orders", parents=[study], help="where the rule trades next: limits and quantities after the last session"
    )
    orders.add_argument("--strategy", metavar="NAME", help="a strategy with a rule (default: the best one)")
    orders.add_argument("--reserve", metavar="R", type=float, help="its reserve, such as 0.10 (default: the best one)")
    orders.add_argument("--json", action="store_true", help="print JSON instead of text")
    orders.set_defaults(command=_orders, reads=True)

    check = commands.add_parser("check", parents=[study], help="validate a study and what the lake holds for it")
    check.add_argument("--fetch", action="store_true", help="also ask the price source for every ticker")
    check.set_defaults(command=_check, reads=True)

    status = commands.add_parser("status", parents=[study], help="what is outdated, what failed, and what to do next")
    status.add_argument("--json", action="store_true", help="print JSON instead of text")
    status.set_defaults(command=_status, reads=True)

    add_bucket_commands(commands, study, _bucket)
    return parser


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, below a million")
    return number


def _print_help(parser: argparse.ArgumentParser, _: argparse.Namespace) -> ExitCode:
    parser.print_help()
    return ExitCode.DONE


def _run(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.run import run
    from pipelines.lab.home import asked_study, open_home
    from pipelines.lab.notices import announced

    with _without_notices(), announced(asked_study(parsed.study), "sdlab run") as reasons:
        return run(open_home(parsed.study), parsed.select, reasons, fresh=parsed.fresh)


def _ui(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.ui import serve
    from pipelines.lab.home import open_home

    with _without_notices():
        return serve(open_home(parsed.study), parsed.port)


def _query(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.query import query
    from pipelines.lab.home import open_home

    home = open_home(parsed.study, needs_lake=False)
    return query(home, parsed.sql, parsed.out, gigabytes=parsed.memory, seconds=parsed.seconds)


def _orders(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.orders import orders
    from pipelines.lab.home import open_home

    return orders(open_home(parsed.study, needs_lake=False), parsed.strategy, parsed.reserve, as_json=parsed.json)


def _check(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.check import check
    from pipelines.lab.home import open_home

    return check(open_home(parsed.study), ask_source=parsed.fetch)


def _status(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.status import status
    from pipelines.lab.home import open_home

    named = parsed.study is not None or "SD_STUDY" in os.environ
    return status(open_home(parsed.study), named=named, as_json=parsed.json)


def _bucket(parsed: argparse.Namespace) -> ExitCode:
    from pipelines.cli.bucket import bucket
    from pipelines.lab.home import open_home

    return bucket(open_home(parsed.study), parsed)


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    """Keep Dagster's notices about its own release stages out of the way of our output."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"dagster\..*")
        yield
