"""The account in Dagster: its books in a run, checks that stop what follows, the sensor, and the schedules."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa
from support.account_lab import LAST, Clock, book_account, mark, open_account
from support.lab import Lab

from pipelines.orchestration.account_assets import MARKS_KEY, account_schedules, ledger_sensor
from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.keys import DERIVED_KEYS
from pipelines.orchestration.names import REFRESH
from pipelines.orchestration.partitions import range_tags
from pipelines.steps.account import evaluate_account, examine, last_evening, mark_account
from pipelines.steps.books import MARKED, RECONCILED, VERIFIES
from sd_core.calendars import ACCOUNT_CALENDAR, calendar_sessions
from sd_core.errors import NotReadyError

LEDGER_KEY = DERIVED_KEYS["ledger"]
NEW_YORK = ZoneInfo("America/New_York")
EVENING = dt.datetime.combine(LAST, dt.time(22), NEW_YORK)


@pytest.fixture
def account(bucket_lab: Lab, tmp_path: Path) -> Lab:
    """Return the lab of the study with plans beside an account, before a run has seen it."""
    lab = bucket_lab.copy_to(tmp_path / "home")
    book_account(lab).store.close()
    return lab


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checks be made in the evening of the account's last mark."""
    from pipelines.steps import account

    monkeypatch.setattr(account, "last_evening", lambda _: LAST)


def landed(lab: Lab, *, job: str = REFRESH) -> tuple[bool, dict[str, dg.AssetCheckEvaluation]]:
    """Land the books in a run of a job; return whether it went well, and what the checks found."""
    definitions = build_definitions(lab.home)
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            asset_selection=[LEDGER_KEY],
            tags=range_tags(lab.home.study.scenarios),
            raise_on_error=False,
        )
    return result.success, {one.check_name: one for one in result.get_asset_check_evaluations()}


@pytest.mark.usefixtures("at_the_end")
def test_checks_of_a_sound_account_pass(account: Lab) -> None:
    success, checks = landed(account)
    assert success
    assert {name: check.passed for name, check in checks.items()} == {VERIFIES: True, RECONCILED: True, MARKED: True}


def test_session_that_no_mark_has_is_named(account: Lab) -> None:
    found = examine(account.home, EVENING + dt.timedelta(days=3))
    # The ninth is a Friday.
    assert found == {VERIFIES: [], RECONCILED: [], MARKED: ["2023-06-12 is not marked"]}
    assert examine(account.home, EVENING - dt.timedelta(hours=2))[MARKED] == []


def change_a_leg(lab: Lab) -> None:
    """Change an amount past the database's own guard, as a program that writes to the file could."""
    engine = sa.create_engine(f"sqlite:///{lab.root / 'ledgers' / 'main.db'}")
    with engine.begin() as connection:
        for name in (
            connection.execute(sa.text("select name from sqlite_master where type = 'trigger'")).scalars().all()
        ):
            connection.exec_driver_sql(f"drop trigger {name}")
        connection.exec_driver_sql("update posting set quanta = quanta + 1 where entry = 2")
    engine.dispose()


def cut_off(lab: Lab) -> None:
    """Leave half of the file, as a full disk could."""
    file = lab.root / "ledgers" / "main.db"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.usefixtures("at_the_end")
@pytest.mark.parametrize(("damage", "said"), [(change_a_leg, "entry 2: its rows are not"), (cut_off, "ledger main: ")])
def test_damaged_ledger_is_not_landed_and_stops_what_follows(
    account: Lab, damage: Callable[[Lab], None], said: str
) -> None:
    damage(account)
    success, checks = landed(account)
    assert not success
    assert (checks[VERIFIES].passed, checks[VERIFIES].severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert said in str(checks[VERIFIES].metadata["findings"].value)
    assert account.home.lake.current("ledger") is None
    outcome = account.sdlab("run")
    assert outcome.code == 1
    assert "failed:\nledger main does not verify:" in outcome.err


@pytest.mark.usefixtures("at_the_end")
def test_blocked_account_is_landed_and_said_to_be_blocked(account: Lab) -> None:
    ledger = open_account(account.root, Clock(LAST))
    ledger.reconcile({})
    ledger.store.close()
    success, checks = landed(account)
    assert success
    assert (checks[RECONCILED].passed, checks[RECONCILED].severity) == (False, dg.AssetCheckSeverity.WARN)
    said = str(checks[RECONCILED].metadata["findings"].value).splitlines()
    assert said == ["the account is locked: reconciliation", "DDD is locked: reconciliation"]
    rows = account.home.lake.current("ledger")
    assert rows is not None
    assert rows.rows["bucket_reconciliation"] == 2


def test_all_checks_of_the_books_block(bucket_lab: Lab) -> None:
    graph = build_definitions(bucket_lab.home).resolve_asset_graph()
    specs = {key.name: graph.get_check_spec(key) for key in graph.get(LEDGER_KEY).check_keys}
    assert {name: spec.blocking for name, spec in specs.items()} == {VERIFIES: True, RECONCILED: True, MARKED: True}


def asked(lab: Lab) -> list[dg.RunRequest]:
    """Return the runs that the sensor asks for."""
    definitions = build_definitions(lab.home)
    sensor = ledger_sensor(lab.home)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, definitions=definitions)
        return list(sensor.evaluate_tick(context).run_requests or [])


def test_sensor_asks_once_for_each_state_of_the_ledger(account: Lab, bucket_lab: Lab) -> None:
    assert asked(bucket_lab) == []
    [first] = asked(account)
    assert [request.run_key for request in asked(account)] == [first.run_key]
    assert landed(account)[0]
    assert asked(account) == []
    ledger = open_account(account.root, Clock(LAST))
    ledger.note("dipper", "more of it")
    [second] = asked(account)
    assert second.run_key != first.run_key
    assert landed(account)[0]
    assert asked(account) == []
    ledger.store.close()


@pytest.mark.usefixtures("at_the_end")
def test_books_in_postgresql_are_landed_and_watched_as_those_in_a_file(
    account: Lab, bucket_lab: Lab, tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert landed(account)[0]
    lab = bucket_lab.copy_to(tmp_path / "other")
    monkeypatch.setenv("SD_LEDGER", postgresql)
    assert asked(lab) == []
    ledger = book_account(lab, postgresql)
    [first] = asked(lab)
    success, checks = landed(lab)
    assert success
    assert {name: check.passed for name, check in checks.items()} == {VERIFIES: True, RECONCILED: True, MARKED: True}
    assert asked(lab) == []
    in_file, in_server = (one.home.lake.current("ledger") for one in (account, lab))
    assert in_file is not None
    assert in_server is not None
    assert in_server.rows == in_file.rows
    for table in in_file.rows:
        assert in_server.read(table).equals(in_file.read(table)), table
    ledger.note("dipper", "more of it")
    assert [one.run_key for one in asked(lab)] != [first.run_key]
    ledger.store.close()


def test_schedules_of_the_evening_are_off_and_skip_days_without_trading(account: Lab, bucket_lab: Lab) -> None:
    assert {one.job_name: one.cron_schedule for one in account_schedules(account.home)} == {
        "mark_account": "15 21 * * 1-5",
        "reconcile_account": "30 21 * * 1-5",
        "evaluate_account": "45 21 * * 1-5",
        "propose_orders": "50 21 * * 1-5",
        "send_exits": "0 9,10 * * 1-5",
    }
    for one in account_schedules(account.home):
        assert (one.default_status, one.execution_timezone) == (dg.DefaultScheduleStatus.STOPPED, "America/New_York")

    def answer(lab: Lab, day: dt.date, job: str = "mark_account") -> object:
        [schedule] = [one for one in account_schedules(lab.home) if one.job_name == job]
        evening = dt.datetime.combine(day, dt.time(21, 15), NEW_YORK)
        return schedule(dg.build_schedule_context(scheduled_execution_time=evening))

    assert isinstance(answer(account, LAST), dg.RunRequest)
    assert isinstance(answer(account, dt.date(2023, 6, 19)), dg.SkipReason)  # Juneteenth
    assert isinstance(answer(bucket_lab, LAST), dg.SkipReason)
    # The first and second session of a quarter, and the first of a month that begins none.
    evaluated = [answer(account, dt.date(2023, *day), "evaluate_account") for day in ((7, 3), (7, 5), (8, 1))]
    assert [type(one) for one in evaluated] == [dg.RunRequest, dg.SkipReason, dg.SkipReason]


def test_marks_take_the_closes_of_the_lake(account: Lab) -> None:
    day = LAST + dt.timedelta(days=3)
    receipts = mark_account(account.home, day)
    again = mark_account(account.home, day)
    assert [one.is_new for one in receipts] == [True, True]
    assert [(one.entry, one.is_new) for one in again] == [(one.entry, False) for one in receipts]
    ledger = open_account(account.root, Clock(LAST))
    with ledger.state() as state:
        session, price = state.prices["DDD"]
    prices = account.table("satellite_prices")
    close = prices[(prices["ticker"] == "DDD") & (prices["session"] == str(day))]["close"].iloc[0]
    assert (session, float(price)) == (day.isoformat(), close)
    with ledger.paper("idea").state() as state:
        assert state.sessions == 1
    # On paper the nights that were missed are made up for, since a stop may have been reached in them.
    mark_account(account.home, day + dt.timedelta(days=4))
    with ledger.state() as state, ledger.paper("idea").state() as paper:
        assert (state.last_mark, paper.last_mark, paper.sessions) == ("2023-06-16", "2023-06-16", 5)
    ledger.store.close()
    with pytest.raises(NotReadyError, match="the prices in the lake end on"):
        mark_account(account.home, dt.date(2026, 1, 5))


def test_split_since_a_mark_is_known_from_the_closes_of_the_lake(account: Lab) -> None:
    from pipelines.steps import account as steps

    prices = account.table("satellite_prices")
    close = float(prices[(prices["ticker"] == "EEE") & (prices["session"] == str(LAST))]["close"].iloc[0])

    def found(marked: float) -> dict[str, Fraction]:
        return steps._splits(account.home, {"EEE": (LAST.isoformat(), Decimal(repr(marked)))})

    # Marked at two thirds of what the lake has now, at three times that, and as it is.
    assert (found(close * 2 / 3), found(close * 3)) == ({"EEE": Fraction(2, 3)}, {"EEE": Fraction(3)})
    assert found(close) == {}


def evaluated(lab: Lab) -> tuple[bool, str]:
    """Run the job that evaluates the account; return whether it went well, and why not."""
    definitions = build_definitions(lab.home)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("evaluate_account")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    failures = [event.step_failure_data for event in result.get_step_failure_events()] if not result.success else []
    words = [one.user_failure_data.description for one in failures if one.user_failure_data is not None]
    return result.success, "\n".join(str(one) for one in words)


@pytest.mark.usefixtures("at_the_end")
def test_evaluation_is_reached_where_all_checks_pass(account: Lab) -> None:
    success, said = evaluated(account)
    assert not success
    assert "evaluate: 2023-06-09: expected the first session of a quarter" in said


def test_evening_of_a_quarter_marks_and_evaluates_the_account(account: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two jobs of the evening, whole, as their schedules start them; sessions before were marked each evening."""
    from pipelines.steps import account as steps

    quarter = dt.date(2023, 7, 3)
    clock = Clock(quarter)
    ledger = open_account(account.root, clock)
    for day in calendar_sessions(ACCOUNT_CALENDAR, LAST + dt.timedelta(days=1), quarter - dt.timedelta(days=1)):
        mark(account, ledger, clock, day.item())
    monkeypatch.setattr(steps, "last_evening", lambda _: quarter)
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions(account.home).resolve_job_def("mark_account")
        assert job.execute_in_process(instance=instance).success
    assert evaluated(account) == (True, "")
    with ledger.state() as state:
        entry = state.entry(state.last_entry)
        assert (state.last_mark, entry.kind, entry.actor) == (quarter.isoformat(), "evaluation", "rule")
    # Its books are those that it was made from; the next landing has it, and it is made once.
    assert landed(account)[0]
    version = account.home.lake.current("ledger")
    assert version is not None
    [row] = version.read("bucket_evaluation").to_pylist()
    assert (row["book"], row["bucket"], row["session"].isoformat()) == ("live", "dipper", quarter.isoformat())
    assert evaluated(account) == (True, "")
    with ledger.state() as state:
        assert state.last_entry == entry.number
    ledger.store.close()


@pytest.mark.parametrize("blocked", [True, False])
def test_evaluation_waits_for_the_account_to_be_in_order(
    account: Lab, monkeypatch: pytest.MonkeyPatch, blocked: bool
) -> None:
    from pipelines.steps import account as steps

    # Either the account is blocked on its last marked day, or sessions after it are not marked.
    monkeypatch.setattr(steps, "last_evening", lambda _: LAST if blocked else dt.date(2023, 7, 3))
    ledger = open_account(account.root, Clock(LAST))
    if blocked:
        ledger.reconcile({})
    with ledger.state() as state:
        before = state.last_entry
    success, said = evaluated(account)
    assert not success
    assert "expected the first session of a quarter" not in said
    with ledger.state() as state:
        assert state.last_entry == before
    ledger.store.close()


def test_evaluation_is_a_row_of_the_tables(account: Lab) -> None:
    receipt = evaluate_account(account.home, dt.date(2023, 7, 3))
    again = evaluate_account(account.home, dt.date(2023, 7, 3))
    assert (receipt.kind, receipt.is_new, again.is_new, again.entry) == ("evaluation", True, False, receipt.entry)
    assert landed(account)[0]
    version = account.home.lake.current("ledger")
    assert version is not None
    [row] = version.read("bucket_evaluation").to_pylist()
    # Four returns since it is active; too young to be judged, so it keeps its target.
    assert (row["book"], row["bucket"], row["probation"], row["is_member"]) == ("live", "dipper", "pending", False)
    assert (row["target_before"], row["target"], row["trades"]) == (0.1, 0.1, 0)


def test_run_of_the_study_takes_nothing_that_writes_to_the_ledger(account: Lab) -> None:
    job = build_definitions(account.home).resolve_job_def(REFRESH)
    assert not {key for key in job.asset_layer.selected_asset_keys if key.path[0] == MARKS_KEY.path[0]}
    assert LEDGER_KEY in job.asset_layer.selected_asset_keys


def test_evening_begins_when_the_session_is_to_be_marked() -> None:
    before = dt.datetime(2023, 6, 10, 1, 14, tzinfo=dt.UTC)
    assert last_evening(before) == dt.date(2023, 6, 8)
    assert last_evening(before + dt.timedelta(minutes=1)) == LAST
