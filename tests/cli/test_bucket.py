"""``sdlab bucket`` on a terminal: what it prints, what it refuses, and that nothing else waits for its libraries."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.alpaca_server import Exchange, served
from support.lab import PROJECT, Lab, small_study, write_study

from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.store import Store

Sdlab = Callable[..., str]


@pytest.fixture
def account(tmp_path: Path) -> Lab:
    """Return a study whose ledger does not exist yet; its prices need not be there."""
    (tmp_path / "prices").mkdir()
    study = small_study(tmp_path / "prices") | {"ledger": "mine", "deposits": {"amount": 1000}}
    return Lab(write_study(tmp_path / "small.yaml", study), tmp_path / "home")


@pytest.fixture
def bucket(account: Lab, monkeypatch: pytest.MonkeyPatch) -> Sdlab:
    """Return a function that runs a command of the ledger and returns what it prints."""
    monkeypatch.delenv("SD_LEDGER", raising=False)

    def run(*arguments: str, refused: bool = False) -> str:
        outcome = account.sdlab("bucket", *arguments)
        assert outcome.code == (2 if refused else 0), outcome.err
        return outcome.err if refused else outcome.out

    return run


def test_before_anything_is_booked_it_says_what_begins_a_ledger(account: Lab, bucket: Sdlab) -> None:
    said = bucket("list", refused=True)
    assert said.startswith("refused:\nledger mine: expected a ledger at ")
    assert "`sdlab bucket deposit` begins one" in said
    assert not (account.root / "ledgers").exists()


def test_from_an_empty_account_to_two_satellites(account: Lab, bucket: Sdlab) -> None:
    """T = 20 000, budget .15, targets .08 and .07: a deposit of 1 000 gives 80 and 70, the core 850."""
    assert bucket("deposit", "20000") == "entry 2: deposit: 20000.00 USD\n  outside → core  20000.00 USD\n"
    bucket("set", "live", "budget=0.15")
    bucket("create", "hunter", "--preset", "momentum_hunter", "--instruments", "NVDA, AMD", "--target", "0.08")
    bucket("create", "eddy", "--preset", "steady_eddy", "--instruments", "KO", "--target", "0.07", "--set", "risk=0.2")
    for name in ("hunter", "eddy"):
        bucket("start", name, "--early", "known from history")
    assert bucket("deposit", "1000").splitlines()[1:] == [
        "  outside → hunter  80.00 USD",
        "  outside → eddy  70.00 USD",
        "  outside → core  850.00 USD",
    ]
    bucket("transfer", "core", "hunter", "400")
    listed = json.loads(bucket("list", "--json"))
    assert [(row["bucket"], row["status"], row["value"]) for row in listed["buckets"]] == [
        ("core", "core", "20450.00"),
        ("hunter", "accumulating", "480.00"),
        ("eddy", "accumulating", "70.00"),
    ]
    # The floor of hunter is .4 · .08 = .032 of 21 000: 672.
    bucket("transfer", "core", "hunter", "192")
    shown = json.loads(bucket("show", "hunter", "--json"))
    assert (shown["status"], shown["settings"]["sliders"]["risk"], shown["instruments"]) == (
        "active",
        0.7,
        ["AMD", "NVDA"],
    )
    assert json.loads(bucket("show", "eddy", "--json"))["settings"]["sliders"]["risk"] == 0.2
    line = next(line for line in bucket("list").splitlines() if line.startswith("hunter"))
    assert line.split() == ["hunter", "active", "672.00", "3.20%", "8.00%", "672.00"]
    assert bucket("verify").startswith("12 entries hold\ndigest ")
    assert (account.root / "ledgers" / "mine.db").is_file()


def test_a_dry_run_and_a_key_are_said(bucket: Sdlab) -> None:
    bucket("deposit", "100", "--key", "march")
    assert bucket("deposit", "100", "--key", "march").endswith("booked before under this key\n")
    assert bucket("deposit", "100", "--dry-run").endswith("a dry run: nothing is booked\n")
    said = bucket("deposit", "200", "--key", "march", refused=True)
    assert said == "refused:\nkey march: expected a new one: entry 2, deposit, asked for something else\n"
    assert json.loads(bucket("list", "--json"))["total"] == "100.00 USD"


def test_events_are_listed_since_an_entry_and_by_bucket(bucket: Sdlab) -> None:
    bucket("deposit", "1000")
    bucket("set", "live", "budget=0.1")
    bucket("create", "hunter", "--preset", "custom", "--instruments", "NVDA", "--target", "0.05")
    bucket("start", "hunter", "--early", "a test")
    bucket("transfer", "core", "hunter", "50")
    bucket("transfer", "hunter", "core", "10")
    lines = [line.split(": ", 1) for line in bucket("events").splitlines()]
    assert [line[0].split(",")[0] for line in lines] == [f"entry {number}" for number in range(1, 9)]
    assert lines[4] == [lines[4][0], "opening: 50.00 USD on paper for hunter"]
    assert lines[4][0].endswith("rule, paper:hunter")
    later = json.loads(bucket("events", "--after", "6", "--bucket", "hunter", "--json"))
    assert [(one["entry"], one["kind"], one["numbers"]["amount"]) for one in later] == [
        (7, "transfer", "50.00"),
        (8, "transfer", "10.00"),
    ]
    assert [one["kind"] for one in json.loads(bucket("events", "--bucket", "live", "--json"))] == ["set"]
    assert bucket("events", "--after", "8") == "nothing was booked\n"
    assert "events: 'huntr': expected one of core, hunter, live" in bucket("events", "--bucket", "huntr", refused=True)


def test_nothing_is_booked_after_another_entry_than_the_expected_one(bucket: Sdlab) -> None:
    bucket("deposit", "1000")
    last = json.loads(bucket("list", "--json"))["entry"]
    done = bucket("deposit", "5", "--expect", str(last), "--key", "march")
    said = bucket("deposit", "7", "--expect", str(last), refused=True)
    assert f"expected {last} to be the last entry, is {last + 1}: `sdlab bucket events --after {last}` lists" in said
    # What was booked under its key is returned, whatever came since.
    assert bucket("deposit", "5", "--expect", str(last), "--key", "march").startswith(done)
    assert json.loads(bucket("list", "--json"))["total"] == "1005.00 USD"


def test_every_unmet_condition_is_printed(bucket: Sdlab) -> None:
    bucket("deposit", "1000")
    bucket("create", "hunter", "--preset", "custom", "--instruments", "NVDA", "--target", "0.05")
    assert bucket("start", "hunter", refused=True).splitlines() == [
        "refused:",
        "targets: 0.05 together: expected at most the budget, 0",
        "hunter: 0 sessions on paper: expected at least 63, or a reason to start early",
    ]
    said = bucket("withdraw", "1000.01", refused=True)
    assert said == "refused:\nwithdraw: 1000.01 USD: expected at most 1000.00, what core has free\n"


def test_a_withdrawal_is_asked_for_and_then_paid(bucket: Sdlab) -> None:
    bucket("deposit", "1000")
    assert bucket("withdraw", "600").startswith("entry 3: withdraw: 600.00 USD: withdrawal-3")
    assert json.loads(bucket("list", "--json"))["buckets"][0]["free"] == "400.00"
    assert bucket("withdraw", "--paid", "withdrawal-3").splitlines()[1] == "  core → outside  600.00 USD"
    assert json.loads(bucket("show", "core", "--json"))["cash"] == {"USD": "400.00"}


def test_an_account_that_has_something_opens_with_its_lots(bucket: Sdlab) -> None:
    opening = ("record", "opening", "T-1", "USD=12000", "KO=10", "--lot", "KO=4@240@2024-05-02")
    lots = (*opening, "--lot", "KO=6@372@2025-02-03", "--date", "2026-03-02")
    assert bucket(*lots).splitlines()[1:] == ["  outside → core  10 KO", "  outside → core  12000.00 USD"]
    core = json.loads(bucket("show", "core", "--json"))
    assert core["positions"] == {"KO": "10"}
    assert len(core["lots"]) == 2
    assert "booked before" in bucket(*lots)
    assert "expected one of each book" in bucket("record", "opening", "T-2", "USD=1", refused=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fil T-1 KO=1 USD=-60", "record: 'fil': expected one of opening, deposit"),
        ("fill T-1 KO=1 USD=-60 --detail fees=1", "record: fees: expected details among order, fee"),
        ("fill T-1 KO=1 USD=-60 --date monday", "record: monday: expected a date such as"),
        ("opening T-1 KO=1 --lot KO=1@60", "record: KO=1@60: expected a lot such as"),
        ("fill T-1 KO=1 KO=2", "record: KO: expected each name once"),
        ("dividend T-1 USD=5", "dividend T-1: expected the instrument that pays it"),
    ],
)
def test_what_cannot_be_recorded_is_refused(bucket: Sdlab, words: str, said: str) -> None:
    assert said in bucket("record", *words.split(), refused=True)


def test_a_forecast_says_what_deposits_cannot_do(bucket: Sdlab) -> None:
    """20 000 and 1 000 a month, a tenth of each to a target of .10: .05 in month 20, as 2 000/40 000; never .10."""
    bucket("deposit", "20000")
    bucket("set", "live", "budget=0.1")
    bucket("create", "opportunistic", "--preset", "dual", "--instruments", "NVDA")
    printed = bucket("forecast")
    assert "1,000.0 a month" in printed
    assert "trades at 5.00%: in month 20; target 10.00%: never, it tends to 9.68%" in printed


def test_an_entry_is_explained_and_the_ledger_exported(bucket: Sdlab) -> None:
    bucket("deposit", "1000.5")
    why = json.loads(bucket("why", "2", "--json"))
    assert (why["actor"], why["kind"], why["legs"]) == (
        "person",
        "deposit",
        [{"source": "outside", "target": "core", "amount": "1000.50 USD", "cause": "deposit"}],
    )
    assert "why: 7: expected an entry from 1 to 2" in bucket("why", "7", refused=True)
    assert bucket("export").splitlines()[1].endswith(",deposit,outside,core,USD,1000.50,deposit,deposit: 1000.50 USD")
    assert "  Assets:Core  1000.50 USD" in bucket("export", "--format", "beancount").splitlines()


def test_a_backup_is_a_ledger_of_its_own(account: Lab, bucket: Sdlab, tmp_path: Path) -> None:
    bucket("deposit", "1000")
    bucket("backup", str(tmp_path / "saved"))
    bucket("deposit", "500")
    digest = bucket("verify")
    ledger = account.root / "ledgers" / "mine.db"
    for file in ledger.parent.glob("mine.db*"):
        file.unlink()
    shutil.copy(tmp_path / "saved.db", ledger)
    assert bucket("verify").startswith("2 entries hold")
    assert bucket("verify") != digest
    assert "expected a file that does not exist yet" in bucket("backup", str(tmp_path / "saved"), refused=True)


def test_the_day_of_an_account(account: Lab, bucket: Sdlab, tmp_path: Path) -> None:
    """Every command once that the walk-through of the page leaves out."""
    bucket("deposit", "10000")
    bucket("set", "live", "budget=0.3")
    bucket(
        "create",
        "hunter",
        "--preset",
        "dual",
        "--instruments",
        "NVDA",
        "--set",
        "trailing=off",
        "--set",
        "dividends=send_to_core",
    )
    shown = json.loads(bucket("show", "hunter", "--json"))["settings"]
    assert (shown["toggles"]["trailing"], shown["dividends"], shown["target"]) == (False, "send_to_core", "0.1")
    bucket("start", "hunter", "--early", "a test")
    bucket("transfer", "core", "hunter", "1500")
    bucket("assign", "hunter", "AMD")
    bucket("note", "hunter", "Dips of large chips.")
    bucket("boost", "hunter", "--days", "30")
    bucket("pause", "hunter")
    assert ["note", "Dips", "of", "large", "chips."] in [line.split() for line in bucket("show", "hunter").splitlines()]
    bucket("resume", "hunter")
    assert "  hunter → core  500.00 USD" in bucket("harvest", "hunter")
    bucket("halt")
    assert "nothing is opened: halt" in bucket("list")
    bucket("halt", "--lift")
    assert bucket("mark", "2026-03-02", "NVDA=100").endswith(": 2026-03-02, 10000.00 USD; hunter activated\n")
    assert "expected a date such as 2026-03-02" in bucket("mark", "today", refused=True)
    # A share of .10 at the target of .10 gives a level of 1, at the first stage a quarter, half as much again boosted.
    marked = json.loads(bucket("show", "hunter", "--json"))["last_mark"]
    assert (marked["session"], marked["level"], marked["factor"]) == ("2026-03-02", 1.0, 0.375)
    assert marked["reasons"] == ["reawakening", "boost"]
    assert "rebase: hunter: at its peak: expected a drawdown" in bucket("rebase", "hunter", "a reason", refused=True)
    assert "apply: expected an evaluation" in bucket("apply", refused=True)
    assert "expected a date such as 2026-04-01" in bucket("evaluate", "april", refused=True)
    assert "is a session of it" in bucket("evaluate", "2026-03-03", refused=True)
    assert "0 of 1 satellites take part" in bucket("evaluate", "2026-04-01", "--dry-run")
    statement = tmp_path / "broker.csv"
    statement.write_text("unit,amount\nUSD,10003.50\n", encoding="utf-8")
    explained = bucket("reconcile", str(statement), "--explain")
    assert ["difference", "3.50", "USD"] in [line.split() for line in explained.splitlines()]
    assert "a dry run: nothing is booked" in explained
    assert "reconcile: USD blocked" in bucket("reconcile", str(statement))
    assert "nothing is opened: reconciliation" in bucket("list")
    bucket("correct", "3.50", "interest of a promotion")
    assert "nothing is blocked" in bucket("reconcile", str(statement))
    moved = bucket("transfer", "core", "hunter", "10").split()[1].rstrip(":")
    assert "  hunter → core  10.00 USD" in bucket("reverse", moved)
    statement.write_text("unit,amount\nUSD,much\n", encoding="utf-8")
    assert f"{statement}:2: 'USD,much': expected unit,amount" in bucket("reconcile", str(statement), refused=True)
    assert " entries hold" in bucket("verify")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: '': expected the header unit,amount"),
        (b"USD,100\n", ":1: 'USD,100': expected the header unit,amount"),
        (b"unit;amount\nUSD;100\n", ":1: 'unit;amount': expected the header unit,amount"),
        (b"unit,amount\nUSD,1,250.50\n", ":2: 'USD,1,250.50': expected unit,amount, such as"),
        (b"unit,amount\n\nUSD,nan\n", ":3: 'USD,nan': expected unit,amount, such as"),
        (b"unit,amount\n,5\n", ":2: ',5': expected unit,amount, such as"),
        (b"unit,amount\nUSD,1\nUSD,2\n", ":3: USD: expected each unit once"),
        (b"unit,amount\nUSD,\xff\n", ": expected a CSV file of unit,amount"),
        (b"unit,amount\nUSD," + b"1" * 200_000, ": expected a CSV file of unit,amount: field larger"),
    ],
)
def test_a_statement_that_is_no_statement_is_refused(bucket: Sdlab, tmp_path: Path, content: bytes, said: str) -> None:
    bucket("deposit", "100")
    statement = tmp_path / "broker.csv"
    statement.write_bytes(content)
    assert f"{statement}{said}" in bucket("reconcile", str(statement), refused=True)
    assert json.loads(bucket("list", "--json"))["locks"] == {}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("create live --preset custom --instruments A --target 0.05", "live: expected a name that is free"),
        ("assign core %s" % ("x" * 41), "expected a ticker of at most 40 characters"),
        ("set live budget=0.1 budget=0.2", "set: budget: expected each name once"),
        ("mark 2026-03-02 A=1 A=2", "mark: A: expected each name once"),
        ("deposit 5 eur", "'eur': expected a currency"),
        ("mark 9026-03-02", "mark: 9026-03-02: expected "),
    ],
)
def test_what_is_asked_for_by_mistake_is_refused(bucket: Sdlab, command: str, said: str) -> None:
    bucket("deposit", "100")
    assert said in bucket(*command.split(), refused=True)
    assert bucket("verify").startswith("2 entries hold")


@pytest.mark.parametrize("amount", ["1,000", "nan", "sNaN", "inf", "1e400", ""])
def test_an_amount_that_is_none_is_refused(account: Lab, amount: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["deposit", amount], ["forecast", "--deposit", amount], ["correct", amount, "a reason"]):
        with pytest.raises(SystemExit, match="2"):
            account.sdlab("bucket", *command)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="expected a device that is always full")
def test_an_output_that_is_full_is_said(account: Lab, bucket: Sdlab, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket("deposit", "100")
    command = [sys.executable, "-m", "pipelines.cli", "bucket", "list", "--study", str(account.study_file)]
    monkeypatch.setenv("SD_HOME", str(account.root))
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=PROJECT, check=False)
    assert (ended.returncode, ended.stderr) == (1, "failed:\noutput: No space left on device\n")


def in_a_process(account: Lab, *arguments: str, **how: object) -> subprocess.CompletedProcess[str]:
    """Run a command of the ledger in a process of its own."""
    command = [sys.executable, "-m", "pipelines.cli", "bucket", *arguments, "--study", str(account.study_file)]
    environment = {**os.environ, "SD_HOME": str(account.root), **how.pop("env", {})}
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, cwd=PROJECT, check=False, env=environment, **how)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="expected a device that is always full")
def test_what_is_booked_is_said_though_the_output_is_full(account: Lab, bucket: Sdlab) -> None:
    with Path("/dev/full").open("w") as full:
        ended = in_a_process(account, "deposit", "100", stdout=full)
    said = (
        "entry 2 is booked, which could not be printed: deposit: 100.00 USD\nfailed:\noutput: No space left on device\n"
    )
    assert (ended.returncode, ended.stderr) == (1, said)
    assert bucket("verify").startswith("2 entries hold")


def test_a_closed_output_is_said(account: Lab) -> None:
    def close() -> None:
        os.close(1)

    for command, said in ((["deposit", "100"], "entry 2 is booked, which could not be printed"), (["list"], "failed:")):
        ended = in_a_process(account, *command, preexec_fn=close)
        assert (ended.returncode, ended.stderr.startswith(said)) == (1, True)
        assert ended.stderr.endswith("failed:\noutput: Bad file descriptor\n")


def test_an_output_of_ascii_alone_is_written(account: Lab) -> None:
    ascii_alone = {"PYTHONIOENCODING": "ascii"}
    ended = in_a_process(account, "deposit", "100", env=ascii_alone, stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "entry 2: deposit: 100.00 USD\n  outside -> core  100.00 USD\n"
    assert in_a_process(account, "note", "core", "für später", env=ascii_alone, stdout=subprocess.PIPE).returncode == 0
    ended = in_a_process(account, "show", "core", env=ascii_alone, stdout=subprocess.PIPE)
    assert "f?r sp?ter" in ended.stdout
    ended = in_a_process(account, "show", "core", "--json", env=ascii_alone, stdout=subprocess.PIPE)
    assert json.loads(ended.stdout)["note"] == "für später"


def test_a_refusal_is_json_where_json_is_asked_for(account: Lab, bucket: Sdlab) -> None:
    bucket("deposit", "100")
    outcome = account.sdlab("bucket", "withdraw", "500", "--json")
    said = "withdraw: 500.00 USD: expected at most 100.00, what core has free"
    assert (outcome.code, json.loads(outcome.out)) == (2, {"refused": [said]})
    assert outcome.err == f"refused:\n{said}\n"


def test_an_interruption_speaks_of_the_ledger(account: Lab, bucket: Sdlab, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket("deposit", "100")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "deposit", interrupt)
    outcome = account.sdlab("bucket", "deposit", "5")
    said = "interrupted; an entry is booked as a whole or not at all, and `sdlab bucket list` shows what is"
    assert (outcome.code, outcome.err.strip()) == (130, said)


def test_a_statement_may_begin_with_a_byte_order_mark(bucket: Sdlab, tmp_path: Path) -> None:
    bucket("deposit", "100")
    statement = tmp_path / "broker.csv"
    statement.write_bytes(b"\xef\xbb\xbfunit,amount\r\nUSD,100\r\n")
    assert "nothing is blocked" in bucket("reconcile", str(statement))


def test_sd_ledger_names_the_database_that_holds_the_ledger(
    account: Lab, bucket: Sdlab, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SD_LEDGER", postgresql)
    bucket("deposit", "1000")
    assert json.loads(bucket("list", "--json"))["total"] == "1000.00 USD"
    assert not (account.root / "ledgers" / "mine.db").exists()
    monkeypatch.setenv("SD_LEDGER", "postgresql+psycopg://me:secret@/x?host=/nowhere")
    said = bucket("list", refused=True)
    assert said.startswith("refused:\nledger mine: postgresql+psycopg://me:***@/x?host=%2Fnowhere, schema mine: ")


def test_other_commands_import_neither_sqlalchemy_nor_the_ledger() -> None:
    code = (
        "import sys; from pipelines.cli.main import main, _parser; _parser().parse_args(['query', 'select 1']);"
        "import pipelines.cli.query, pipelines.cli.check; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert not {"sqlalchemy", "alembic", "sd_core.buckets.ledger"} & set(loaded.stdout.split())


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """Return what is behind a server that speaks Alpaca's API, whose address and keys are in the environment."""
    pytest.importorskip("alpaca.trading.client", reason="the extra alpaca is not installed")
    exchange = Exchange(cash="2500", positions=[{"symbol": "NVDA", "qty": "2", "cost_basis": "240"}])
    server = served(exchange)
    monkeypatch.setenv("ALPACA_API_KEY", "a-key")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "a-secret")
    monkeypatch.setenv("ALPACA_URL", f"http://127.0.0.1:{server.server_port}")
    yield exchange
    server.shutdown()
    server.server_close()


def test_a_broker_is_named_and_its_keys_are_in_the_environment(bucket: Sdlab, monkeypatch, exchange) -> None:
    bucket("set", "live", "budget=0.1")
    said = bucket("reconcile", refused=True)
    assert "expected an account with a broker: `sdlab bucket set live broker=alpaca`" in said
    bucket("set", "live", "broker=alpaca")
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.delenv(name)
    assert "expected ALPACA_API_KEY and ALPACA_SECRET_KEY in the environment" in bucket("reconcile", refused=True)


def test_reconcile_without_a_file_reads_the_broker(bucket: Sdlab, exchange: Exchange) -> None:
    bucket("set", "live", "broker=alpaca")
    opening, reconciled = bucket("reconcile").splitlines()
    assert opening.startswith("entry 3: opening: ")
    assert reconciled == "entry 4: reconcile: nothing is blocked"
    shown = json.loads(bucket("show", "core", "--json"))
    assert (shown["cash"], shown["positions"]) == ({"USD": "2500.00"}, {"NVDA": "2"})
    exchange.cash = "2400"
    explained = json.loads(bucket("reconcile", "--explain", "--json"))
    assert explained["numbers"]["blocked"] == ["USD"]
    assert next(one for one in explained["numbers"]["units"] if one["unit"] == "USD")["difference"] == "-100.00 USD"
    assert "a-key" not in bucket("export") + bucket("list")
    assert "nothing is opened: reconciliation" in bucket("list")


def test_orders_of_an_account_without_a_broker_are_placed_by_hand(bucket: Sdlab, account: Lab) -> None:
    bucket("deposit", "1000")
    bucket("assign", "core", "NVDA")
    ledger = Ledger(Store("mine", account.root / "ledgers"))
    today = ledger.today.isoformat()
    order = Order("core-NVDA-entry", "core", "buy", "NVDA", 10**9, "USD", 126 * 10**4, session=today, reason="entry")
    ledger.propose(order, {"factor": 0.5})
    ledger.store.close()
    tried = bucket("approve", "--all", "--dry-run")
    assert tried.splitlines()[0] == "order core-NVDA-entry: approved"
    assert json.loads(bucket("orders", "--json"))[0]["status"] == "proposed"
    for chosen in ("--all", "core-NVDA-entry"):
        assert bucket("approve", chosen, "--key", "march").splitlines() == [
            "order core-NVDA-entry: approved",
            "the account names no broker: place what is approved, and record each fill with --detail order=ORDER",
        ]
    assert [(one["status"], one["reserved"]) for one in json.loads(bucket("orders", "--json"))] == [
        ("approved", "126.00 USD")
    ]
    # Another broker would be sent what a person has placed already.
    said = bucket("set", "live", "broker=alpaca", refused=True)
    assert "set live: broker=alpaca: expected no open order, has core-NVDA-entry" in said
    fill = ("record", "fill", "T-1", "NVDA=1", "USD=-120", "--detail")
    assert "fill: order core-NVDA: expected one on record" in bucket(*fill, "order=core-NVDA", refused=True)
    bucket(*fill, "order=core-NVDA-entry")
    assert bucket("orders") == "no open order\n"
    assert [one["status"] for one in json.loads(bucket("orders", "--all", "--json"))] == ["filled"]


def test_orders_are_listed_approved_and_sent_and_a_halt_calls_them_off(
    bucket: Sdlab, account: Lab, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket("set", "live", "broker=alpaca")
    bucket("reconcile")
    ledger = Ledger(Store("mine", account.root / "ledgers"))
    today = ledger.clock().date().isoformat()
    for name in ("first", "second"):
        order = Order(name, "core", "buy", "NVDA", 10**9, "USD", 126 * 10**4, session=today, reason="entry")
        ledger.propose(order, {"factor": 0.5})
    ledger.store.close()
    assert "first" in bucket("approve", refused=True)
    assert bucket("approve", "first") == "order first: sent\n"
    assert [(one["client_order_id"], one["qty"]) for one in exchange.orders] == [("first", "1")]
    listed = json.loads(bucket("orders", "--json"))
    assert [(one["order"], one["status"], one["reserved"]) for one in listed] == [
        ("first", "sent", "126.00 USD"),
        ("second", "proposed", "0.00 USD"),
    ]
    assert (listed[1]["needs"], listed[1]["decision"], listed[1]["what"]) == (
        "126.00 USD",
        {"factor": 0.5},
        "buy 1 NVDA",
    )
    line = bucket("orders").splitlines()[1]
    assert " ".join(line.split()) == f"first core sent buy 1 NVDA 0 126.00 USD entry {today}"
    assert "order first: cancelled\n" in bucket("halt")
    assert exchange.orders[0]["status"] == "canceled"
    assert bucket("orders") == "no open order\n"
    bucket("halt", "--lift")
    monkeypatch.delenv("ALPACA_API_KEY")
    said = bucket("halt")
    assert "purchases at the broker are not called off: broker alpaca: expected ALPACA_API_KEY" in said
    assert "halt: nothing is opened, exits run" in said
    assert len(json.loads(bucket("orders", "--all", "--json"))) == 2
