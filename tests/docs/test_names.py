"""Names in the pages exist: what a page sets in `code` is looked up in the code.

What is looked at, in `docs/*.md` and `README.md`, outside of blocks unless said otherwise:

- words in small letters (`report_strategy`, `sd_n`): a table, a column, a key of studies or one of its values, a macro,
  a module, or something of Dagster's;
- words in capitals (`SKIP_BUY`): a kind of the ledger's rows, a value in the tables, or a variable of the environment;
- `table.column`, `part.key` of a study, and `run.ledger` of an object in Python;
- paths that begin with a folder of the repository;
- `sdlab` commands and their options, also in blocks;
- tables and columns in blocks of SQL, and in queries given to `sdlab query`;
- blocks of YAML that are a whole study, which must be taken.

Formulas, file names, code of other languages and numbers are not looked at.
"""

import ast
import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlglot
from pydantic import BaseModel
from sqlglot import exp
from support.lab import PROJECT

from pipelines.cli.bucket import READS, WRITES
from pipelines.cli.main import main
from pipelines.lab.home import SQL
from pipelines.notebook.lab import Lab
from pipelines.notebook.run import Run
from sd_core.broker.protocol import Broker
from sd_core.broker.sending import send
from sd_core.buckets.ledger.facts import DETAILS, ENTRY_OF
from sd_core.buckets.ledger.state import DEFAULTS
from sd_core.buckets.ledger.tables import ACTIVITY, ACTIVITY_LEG, MONEY, OTHER, ROWS, SEAL
from sd_core.schemas import TABLES
from sd_core.schemas.buckets import BUCKET_TABLES
from sd_core.schemas.kinds import Kind, Transfer
from sd_core.schemas.lake import LAKE_TABLES
from sd_core.study import parts, strategy
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.study.moved import OF_STRATEGY, OF_STUDY

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CAPITALS = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
DOTTED = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
PATH = re.compile(r"(pipelines|sd_core|sql|studies|tests|docs|benchmarks)/[\w./*-]*")

FILE_ENDINGS = (".md", ".py", ".sql", ".yaml", ".json", ".html", ".log", ".csv", ".duckdb", ".db", ".lock")
MODULES = ("benchmarks.", "sd_core.", "pipelines.")
# What a page calls an object of ours in Python.
OBJECTS = {"lab": Lab, "run": Run}


def spans(page: Path) -> Iterator[str]:
    """Yield what a page sets in code outside of its blocks; a bar in a table is written with a backslash."""
    for span in SPAN.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        yield span.replace("\\|", "|")


def models(of: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Return a model of the study with all models of its fields."""
    if of not in seen:
        seen.add(of)
        for field in of.model_fields.values():
            for kind in annotations(field.annotation):
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    models(kind, seen)
    return seen


def annotations(kind: Any) -> Iterator[Any]:
    """Yield an annotation and everything inside it: classes, and the values of literals."""
    yield kind
    for inner in get_args(kind):
        yield from annotations(inner)


PARTS = models(Study, set()) | {
    one
    for module in (parts, strategy)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
}
KEYS = {field.alias or name for part in PARTS for name, field in part.model_fields.items()}
VALUES = {
    value
    for part in PARTS
    for field in part.model_fields.values()
    for kind in annotations(field.annotation)
    for value in get_args(kind)
    if isinstance(value, str)
}
VALUES |= {field.default for part in PARTS for field in part.model_fields.values() if isinstance(field.default, str)}
BUCKETS = {table.name: table for table in BUCKET_TABLES}
COLUMNS = {name: set(table.columns) for name, table in (TABLES | LAKE_TABLES | BUCKETS).items()}
ALL_COLUMNS = set().union(*COLUMNS.values())
MACROS = set(re.findall(r"create (?:or replace )?macro (\w+)", (SQL / "macros.sql").read_text(encoding="utf-8")))
LAYERS = {folder.name for folder in SQL.iterdir() if folder.is_dir()}
AUDITS = {file.stem for file in (SQL / "audit").glob("*.sql")}
STORED = {
    word
    for table in (*TABLES.values(), *LAKE_TABLES.values(), *BUCKET_TABLES)
    for column in table.columns.values()
    for check in column.checks
    if check.words.startswith("one of ")
    for word in re.findall(r"\w+", check.words.removeprefix("one of "))
}
# The names of the rules about prices are written where they are reported, not in a declaration.
FINDINGS = {
    node.value
    for file in (PROJECT / "sd_core" / "market").rglob("*.py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value)
}
STUDIES = {file.stem for file in (PROJECT / "studies").glob("*.yaml")}
COMMANDS = {"run", "ui", "query", "orders", "check", "bucket", "status"}
# What `sdlab bucket` does, and the ledger's own tables.
ACTIONS = {*WRITES, *READS}
LEDGER = {name for table in (*ROWS, SEAL, ACTIVITY, ACTIVITY_LEG) for name in (table.name, *table.columns)}
LEDGER |= {*MONEY, *OTHER, *ENTRY_OF, *DETAILS, *DEFAULTS}
# What is asked of a broker, and what sends orders to it.
BROKER = {name for name in vars(Broker) if not name.startswith("_")} | {send.__name__}
# Packages, and modules, which pages name within the room that they are about.
ROOMS = {"sd_core", "pipelines"} | {
    name
    for package in ("sd_core", "pipelines")
    for file in (PROJECT / package).rglob("*.py")
    for name in (file.stem, file.parent.name)
}


def texts(found: Any) -> Iterator[str]:
    """Yield every key and text of a JSON document."""
    match found:
        case dict():
            for key, value in found.items():
                yield key
                yield from texts(value)
        case list():
            for value in found:
                yield from texts(value)
        case str():
            yield found


# Assets, jobs, checks, schedules and sensors, as the snapshot of Dagster's definitions has them.
DAGSTER = {
    name
    for text in texts(json.loads((PROJECT / "tests" / "golden" / "definitions.json").read_text(encoding="utf-8")))
    for name in text.split("/")
}
# Datasets of the lake that are no asset, and what runs note beside one.
DATASETS = {"fetches", "market", "left_alone"}
MOVED = set(OF_STRATEGY) | set(OF_STUDY)
OF_STUDIES = KEYS | VALUES | FINDINGS | STUDIES
OF_TABLES = set(COLUMNS) | ALL_COLUMNS | STORED | MACROS | LAYERS | AUDITS
KNOWN = OF_STUDIES | OF_TABLES | DATASETS | DAGSTER | COMMANDS | ACTIONS | LEDGER | BROKER | ROOMS

# Words that are something else.
OTHER_WORDS = {
    "keys of earlier studies and their values, listed with their new names": MOVED | {"hold", "hybrid"},
    "what a satellite does with dividends": {"reinvest_same", "send_to_core"},
    "a class of assets, given as an example": {"crypto"},
    "owners and books of a ledger that are no satellite and no plan": {"core", "outside", "live"},
    "what an entry of the ledger notes of itself": {"external_trade", "unattributed"},
    "numbers of a formula": {"b", "f", "l", "m", "r", "s", "w"},
    "YAML's truth values, and words a field takes beside its model": {"true", "false", "intersection", "union"},
    "what `sdlab status` finds of a study, in JSON": {"attention", "outdated", "unpublished"},
    "programs and calls of the operating system": {"make", "flock", "pg_dump"},
    "SQL that a query may not use": {"attach", "read_csv", "set"},
    "the database that SQL sees the lake as": {"lake"},
    "the benchmark's drawdowns as episodes of stress": {"drawdown_1", "drawdown_5"},
    "keys of partitions and strategies, given as examples": {"r10", "r2_5", "sd8", "rebalance_deviation_width_0_1"},
    "functions, options and numbers of other libraries": {
        "agrees",
        "flexible",
        "from_order_func",
        "load_sp500_dataset",
        "transact",
    },
}
# A block with these keys is a study; others are parts, and alternatives beside each other.
WHOLE = ("name", "source", "universe", "reserves", "strategies")
VARIABLES = {
    *("SD_STUDY", "SD_HOME", "SD_LEDGER", "SD_FAILURE_WEBHOOK", "SD_FAILURE_MAIL", "SD_SMTP"),
    *("SD_WORKERS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "NUMBA_CPU_NAME"),
    *("SD_LAKE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *("DAGSTER_HOME", "ALPACA_API_KEY", "ALPACA_SECRET_KEY", "ALPACA_URL", "SSL_CERT_FILE"),
}
CAPITAL_WORDS = {kind.name for kind in (*Kind, *Transfer)} | VARIABLES


def lower_words(page: Path) -> set[str]:
    """Return the words of a page that must be known."""
    return {span for span in spans(page) if WORD.fullmatch(span)}


@cache
def options_of(command: str) -> set[str]:
    """Return the options that a command's own help lists."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for words in [[command], *([command, action] for action in ACTIONS if command == "bucket")]:
            with contextlib.suppress(SystemExit):
                main([*words, "--help"])
    return set(re.findall(r"--[a-z-]+", printed.getvalue()))


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after `sdlab`, of spans and of lines in blocks."""
    text = page.read_text(encoding="utf-8")
    lines = [line for _, block in BLOCK.findall(text) for line in block.splitlines()]
    for line in [*spans(page), *lines]:
        if found := re.search(r"(?:^|\s|/)sdlab (.*)", line):
            yield shlex.split(found[1], comments=True)


def queries(page: Path) -> Iterator[str]:
    """Yield the SQL of a page: its blocks, and what is given to `sdlab query`."""
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "sql":
            yield block
    for words in commands(page):
        yield from (word for word in words[1:] if words[0] == "query" and " " in word)


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_words_are_names_of_something(page: Path) -> None:
    unknown = lower_words(page) - KNOWN - set().union(*OTHER_WORDS.values())
    assert not unknown


def test_words_in_capitals_are_names_of_something(page: Path) -> None:
    assert not {span for span in spans(page) if CAPITALS.fullmatch(span)} - CAPITAL_WORDS


def test_dotted_names_are_columns_or_keys(page: Path) -> None:
    for span in spans(page):
        if (match := DOTTED.fullmatch(span)) and not span.endswith(FILE_ENDINGS) and not span.startswith(MODULES):
            owner, name = match.groups()
            if owner in OBJECTS:
                assert name in {*dir(OBJECTS[owner]), *getattr(OBJECTS[owner], "__dataclass_fields__", ())}, span
                continue
            assert owner in COLUMNS or owner in KEYS, span
            assert name in COLUMNS.get(owner, KEYS), span


def test_paths_lead_somewhere(page: Path) -> None:
    for span in spans(page):
        if PATH.fullmatch(span):
            assert list(PROJECT.glob(span.rstrip("/"))), span


def test_commands_and_options_are_taken(page: Path) -> None:
    for words in commands(page):
        command = words[0]
        assert command in COMMANDS, words
        for word in words[1:]:
            assert not word.startswith("--") or word in options_of(command), words
    every_option = set().union(*(options_of(command) for command in COMMANDS))
    for span in spans(page):
        if re.fullmatch(r"--[a-z-]+( [\w|]+)?", span):
            assert span.split()[0] in every_option, span


def test_queries_read_tables_and_columns_that_are_there(page: Path) -> None:
    for sql in queries(page):
        for query in sqlglot.parse(sql, dialect="duckdb"):
            assert query is not None
            named = {cte.alias for cte in query.find_all(exp.CTE)} | {one.alias for one in query.find_all(exp.Alias)}
            named |= {one.alias for one in query.find_all(exp.Subquery, exp.Table) if one.alias}
            tables = {table.name for table in query.find_all(exp.Table)}
            assert tables - named <= COLUMNS.keys(), sql
            assert {column.name for column in query.find_all(exp.Column)} - named <= ALL_COLUMNS | {"*"}, sql


def test_whole_studies_are_taken(page: Path, tmp_path: Path) -> None:
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "yaml" and all(re.search(f"^{key}:", block, re.MULTILINE) for key in WHOLE):
            (tmp_path / "prices").mkdir(exist_ok=True)
            file = tmp_path / "study.yaml"
            file.write_text(block, encoding="utf-8")
            load_study(file)


def test_what_is_something_else_is_named_somewhere() -> None:
    named = set().union(*(lower_words(page) for page in PAGES))
    assert not set().union(*(words for words in OTHER_WORDS.values())) - MOVED - named
