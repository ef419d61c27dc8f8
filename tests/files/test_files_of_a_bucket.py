"""A bucket's files: what is copied to this machine, what is spared, and what is said of a store that does not serve."""

import datetime as dt
import http.server
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from support.s3_server import S3

from sd_core.errors import DamagedError, InputError, StoreError
from sd_core.files import bucket as room
from sd_core.files.bucket import Bucket
from sd_core.lake import POINTER, VERSION, Lake

BARS = {"bars": pa.table({"close": [1.0, 2.0]})}


@pytest.fixture
def files(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return Bucket(f"{s3.bucket()}/lab", tmp_path / "cache")


def test_copy_is_made_once_and_again_where_it_is_damaged(files: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    version = Lake(files.root, files).write("market", "", BARS, {})
    asked: list[str] = []
    get = Bucket.get
    monkeypatch.setattr(Bucket, "get", lambda self, name: asked.append(name) or get(self, name))
    for _ in range(2):
        assert version.read("bars").equals(BARS["bars"])
    assert asked == [version.name("bars")]
    copy = version.file("bars")
    whole = copy.read_bytes()
    copy.write_bytes(whole[:-1] + b"?")
    version.verify()
    assert copy.read_bytes() == whole
    assert len(asked) == 2


def test_file_that_is_damaged_in_the_bucket_is_named(files: Bucket) -> None:
    version = Lake(files.root, files).write("market", "", BARS, {})
    files._put(version.name("bars"), b"PAR1")
    with pytest.raises(DamagedError, match=f"{files.url}/market: {version.version}/bars.parquet: SHA-256 "):
        version.verify()


def test_what_was_superseded_within_a_day_stays(files: Bucket) -> None:
    lake = Lake(files.root, files)
    versions = [lake.write("market", "", BARS, {}) for _ in range(3)]
    segment = lake.append("sweeps", "a", BARS["bars"])
    lake.prune()
    assert lake.remove_segments("sweeps", [segment])
    assert [version.read("bars").num_rows for version in versions] == [2, 2, 2]
    assert lake.segments("sweeps") == [segment]
    lake.remove_damaged("sweeps", [segment])
    assert lake.segments("sweeps") == []


DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 1, 10, tzinfo=dt.UTC)


def version_of(number: int) -> str:
    return f"{number:020d}-{0:08x}"


# When versions 1, 2, … of a partition were put, and its pointer, in days before now; and which may go.
AGES = [
    pytest.param([3], 3, set(), id="the only one"),
    pytest.param([5, 3], 3, {1}, id="superseded three days ago"),
    pytest.param([5, 0.5], 0.5, set(), id="old, superseded today"),
    pytest.param([5, 3, 0.5], 0.5, {1}, id="only the first was superseded long ago"),
    pytest.param([5, 3], 5, {1, 2}, id="a writer died three days ago"),
    pytest.param([5, 0.5], 5, set(), id="a writer is at work"),
    pytest.param([3], None, {1}, id="the first writer died"),
    pytest.param([0.5], None, set(), id="the first writer is at work"),
]


@pytest.mark.parametrize(("put", "named", "gone"), AGES)
def test_versions_go_a_day_after_the_next_one(
    put: list[float], named: float | None, gone: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [(f"market/{version_of(number)}/bars.parquet", age) for number, age in enumerate(put, start=1)]
    listed += [("elsewhere", 0.0), *([(f"market/{POINTER}", named)] if named is not None else [])]
    entries = [{"path": name, "last_modified": NOW - age * DAY} for name, age in listed]
    monkeypatch.setattr(Bucket, "_listed", lambda self, folder: entries)
    found = list(Bucket("s3://any-bucket", tmp_path).leftovers(POINTER, VERSION, ()))
    assert {(one.home, *sorted(one.versions)) for one in found} == (
        {("market", *map(version_of, sorted(gone)))} if gone else set()
    )


def test_copies_of_what_is_not_in_the_bucket_any_more_go(files: Bucket) -> None:
    lake = Lake(files.root, files)
    kept, gone = (lake.write("market", key, BARS, {}) for key in ("kept", "gone"))
    copies = [kept.file("bars"), gone.file("bars")]
    files.remove([gone.name("bars"), f"market/gone/{POINTER}"])
    copies[1].parent.mkdir(exist_ok=True)
    copies[1].write_bytes(b"of another machine's doing")
    os.utime(copies[1], (0, 0))
    lake.prune()
    assert [copy.exists() for copy in copies] == [True, False]


def test_copies_go_where_a_machine_only_reads_and_a_draft_of_now_stays(files: Bucket, tmp_path: Path) -> None:
    lake = Lake(files.root, files)
    read, gone = (lake.write("market", key, BARS, {}) for key in ("read", "gone"))
    copy = gone.file("bars")
    Bucket(files.url, tmp_path / "of another machine").remove([gone.name("bars")])
    draft = copy.with_name(".bars.parquet.1234")
    draft.touch()
    os.utime(copy, (0, 0))
    room._forget_once.cache_clear()
    assert read.file("bars").is_file()
    assert not copy.exists()
    assert draft.exists()


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("", "bucket", "s3:/bucket", "s3://", "s3://b", "S3://bucket", "https://bucket", "s3://key:secret@bucket"),
        *(
            "s3://bucket//twice",
            "s3://bucket/../up",
            "s3://bucket/a b",
            "s3://bucket/a?b",
            "s3://Bucket",
            "s3://bucket\n",
        ),
    ],
)
def test_address_of_no_bucket_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the address of a bucket, s3://BUCKET or s3://BUCKET/PREFIX") as said:
        Bucket(address, tmp_path)
    assert len(str(said.value).splitlines()) == 1
    assert "secret" not in str(said.value)


def test_bucket_that_is_not_there_is_named(files: Bucket) -> None:
    other = Bucket("s3://no-such-bucket/lab", files.cache)
    questions: list[Callable[[], object]] = [
        lambda: other.get("a"),
        lambda: other.put("a", "1"),
        lambda: other.put_new("a", "1"),
        lambda: list(other.names("market", VERSION)),
        lambda: other.remove(["a"]),
    ]
    for question in questions:
        with pytest.raises(InputError, match=r"^s3://no-such-bucket/lab: http://127.0.0.1:.* has no such bucket"):
            question()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], None]]:
    """Return a function that has a store answer everything with a status and a text."""
    answers: list[tuple[int, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, text = answers[-1]
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.send_header("etag", '"a-tag"')
            self.send_header("last-modified", "Sat, 10 Jan 2026 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:word@127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTORED")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-printed")
        monkeypatch.setattr(room, "PATIENCE", 1)
        yield lambda status, text="": answers.append((status, text))
        server.shutdown()


REFUSED = "<Error><Code>{}</Code><AWSAccessKeyId>AKIASTORED</AWSAccessKeyId><StringToSign>x</StringToSign></Error>"


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (403, REFUSED.format("InvalidAccessKeyId"), "refuses: InvalidAccessKeyId: expected AWS_ACCESS_KEY_ID and "),
        (403, REFUSED.format("SignatureDoesNotMatch"), "refuses: SignatureDoesNotMatch: expected AWS_ACCESS_KEY_ID"),
        (401, "", "refuses: 401: expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of someone who may read"),
        (
            301,
            REFUSED.format("PermanentRedirect"),
            "answers with a redirect, as another region does: expected that ",
        ),
        (418, "<html>a proxy</html>", "answers 418"),
    ],
)
def test_answer_that_is_no_file_is_said_in_one_line_without_keys(answering, status, text, expected, tmp_path):
    answering(status, text)
    files = Bucket("s3://any-bucket/lab", tmp_path)
    for question in (lambda: files.get("a"), lambda: files.put("a", "1"), lambda: files.put_new("a", "1")):
        with pytest.raises((InputError, StoreError), match=expected) as said:
            question()
        line = str(said.value)
        assert line.startswith("s3://any-bucket/lab: http://127.0.0.1:")
        assert len(line.splitlines()) == 1
        assert not any(secret in line for secret in ("AKIASTORED", "never-printed", "word", "StringToSign"))
        assert said.value.__cause__ is said.value.__context__ is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_store_that_fails_is_asked_again(answering, status: int, tmp_path: Path) -> None:
    files = Bucket("s3://any-bucket/lab", tmp_path)
    answering(status, "busy")
    with pytest.raises(StoreError, match=f"answers {status}$"):
        files.get("a")
    threading.Timer(0.3, lambda: answering(200, "whole")).start()
    assert files.get("a") == (b"whole", '"a-tag"')


def test_store_that_is_not_there_is_said_after_some_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PATIENCE", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    room._opened.cache_clear()
    with pytest.raises(StoreError, match=r"^s3://any-bucket: http://127.0.0.1:9 was asked for 1 s and did not answer$"):
        Bucket("s3://any-bucket", tmp_path).get("a")
    room._opened.cache_clear()


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://host", "http://", "127.0.0.1:9000"])
def test_endpoint_that_is_no_address_is_refused(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InputError, match=r"^AWS_ENDPOINT_URL: expected the address of a store, http://HOST:PORT"):
        Bucket("s3://any-bucket", tmp_path).get("a")


def test_what_is_asked_of_a_store_that_stopped_is_done_once_it_goes_on(
    files: Bucket, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ANSWERED_WITHIN", 0.5)
    room._opened.cache_clear()
    files.put("a", "1")
    tag = files.get("a")[1]
    questions: dict[str, Callable[[], object]] = {
        "get": lambda: files.get("a")[0] == b"1",
        "put_new": lambda: files.put_new("b", "2"),
        "replace": lambda: files.replace("a", "3", tag),
        "remove": lambda: files.remove(["b"]),
        "names": lambda: list(files.names("", VERSION)) == ["a"],
    }
    answers = {}
    for name, question in questions.items():
        with s3.stopped():
            asking = threading.Thread(target=lambda name=name, question=question: answers.update({name: question()}))
            asking.start()
            time.sleep(1.2)
            assert name not in answers
        asking.join()
    assert answers == {"get": True, "put_new": True, "replace": True, "remove": None, "names": True}
    assert files.get("a")[0] == b"3"
    room._opened.cache_clear()
