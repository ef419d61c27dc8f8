"""What commands say where ``SD_LAKE`` names a bucket that is malformed, not there, or cannot be reached."""

import pytest
from support.lab import Lab
from support.s3_server import S3

from sd_core.files import bucket


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a store where nothing listens, and have patience for a second."""
    pytest.importorskip("obstore", reason="no obstore: pip install -e '.[dev]'")
    monkeypatch.setattr(bucket, "PATIENCE", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("SD_LAKE", "s3://any-bucket/labs")
    bucket._opened.cache_clear()
    return "s3://any-bucket/labs/small: http://127.0.0.1:9 was asked for 1 s and did not answer"


@pytest.mark.parametrize("command", [["run"], ["status"], ["check"]])
def test_store_that_is_not_reached_ends_a_command_in_a_line(
    finished: Lab, unreachable: str, command: list[str]
) -> None:
    outcome = finished.sdlab(*command)
    assert (outcome.code, outcome.err) == (1, f"failed:\n{unreachable}\n")


def test_queries_need_no_lake(finished: Lab, unreachable: str) -> None:
    assert finished.sdlab("query", "select count(*) as n from report_strategy").out == "n\n6\n"
    assert finished.sdlab("orders").code == 0


def test_address_that_is_none_is_refused_in_a_line(finished: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SD_LAKE", "s3://user:word@bucket")
    outcome = finished.sdlab("status")
    assert outcome.code == 2
    assert outcome.err.startswith("refused:\nSD_LAKE: an address with @ or ?: expected the address of a bucket, s3://")
    assert "word" not in outcome.err


def test_bucket_that_is_not_there_is_refused_in_a_line(finished: Lab, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SD_LAKE", "s3://no-such-bucket")
    outcome = finished.sdlab("run")
    assert outcome.code == 2
    assert outcome.err == (
        f"refused:\ns3://no-such-bucket/small: {s3.environment['AWS_ENDPOINT_URL']} has no such bucket: make it first, "
        "or name another one\n"
    )
