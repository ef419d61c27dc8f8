"""The lake's promise: a partition is there whole or not at all, whatever dies, writes or prunes at the same time."""

import datetime as dt
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.s3_server import S3

from sd_core.errors import DamagedError, InputError, MovedError
from sd_core.files.bucket import Bucket
from sd_core.files.whole import put_whole
from sd_core.lake import POINTER, SEGMENT, Lake, Version

OLD = {"bars": pa.table({"close": [1.0, 2.0]}), "splits": pa.table({"ratio": pa.array([], pa.float64())})}
NEW = {"bars": pa.table({"close": [3.0, 4.0, 5.0]}), "splits": pa.table({"ratio": [2.0]})}


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def bucket_lake(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Return a lake over a bucket of its own that spares nothing."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return Lake(tmp_path / "lake", Bucket(f"{s3.bucket()}/labs/lake", tmp_path / "cache", dt.timedelta()))


@pytest.fixture(params=["folder", "bucket"])
def lake(request: pytest.FixtureRequest) -> Lake:
    """Return an empty lake, over either kind of files."""
    return request.getfixturevalue("local_lake" if request.param == "folder" else "bucket_lake")


def closes(lake: Lake, dataset: str = "prices", key: str = "VOO") -> list[float]:
    version = lake.current(dataset, key)
    assert version is not None
    return version.read("bars")["close"].to_pylist()


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def stored(lake: Lake, home: str = "prices/VOO") -> set[str]:
    """Return what lies in a folder of a lake."""
    return {name.removeprefix(f"{home}/").split("/")[0] for name in lake.files.names(home, re.compile("(?!)"))}


def is_stored(lake: Lake, version: Version) -> bool:
    return version.version in stored(lake, version.home)


def overwrite(lake: Lake, name: str, content: bytes) -> None:
    """Put bytes in place of a file, as nothing of ours would."""
    if isinstance(lake.files, Bucket):
        lake.files._put(name, content)
    else:
        (lake.files.root / name).write_bytes(content)


def handed_over(lake: Lake) -> str:
    """Return what a process needs to know of a lake: this, and its environment."""
    return pickle.dumps(lake).hex()


# --- writing and reading ----------------------------------------------------------------------------------------------


def test_nothing_stored_is_none(lake: Lake) -> None:
    assert lake.current("prices", "VOO") is None


def test_what_was_written_is_read_with_its_facts(lake: Lake) -> None:
    facts = {"source": "a file", "covered": [["2015-01-01", "2015-12-31"]], "currency": None}
    written = lake.write("prices", "VOO", NEW, facts, keep=("an-earlier-one",))
    version = pickle.loads(pickle.dumps(lake)).current("prices", "VOO")
    assert version == written
    assert version is not None
    assert version.rows == {"bars": 3, "splits": 1}
    assert version.facts == facts
    assert version.kept == ("an-earlier-one",)
    assert version.read("bars").equals(NEW["bars"])
    assert version.read("splits").equals(NEW["splits"])


def assert_refused_as_damaged(lake: Lake) -> None:
    home = re.escape(lake.place("prices", "VOO"))
    with pytest.raises(InputError, match=f"{home}: .* expected what a run wrote there; `sdlab run` computes it again"):
        lake.current("prices", "VOO")


def test_missing_table_is_refused_with_its_folder(lake: Lake) -> None:
    version = lake.write("prices", "VOO", OLD, {})
    lake.files.remove([version.name("bars")])
    if not isinstance(lake.files, Bucket):  # which would have to be asked for each table
        assert_refused_as_damaged(lake)
    for read in (version.verify, lambda: version.read("bars")):
        with pytest.raises(DamagedError, match=f"{lake.place('prices', 'VOO')}: .*bars.parquet is missing"):
            read()


DAMAGED_POINTERS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="cut off"),
    pytest.param(b"\xff\xfe", id="no text"),
    pytest.param(b"{}", id="nothing named"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[" * 100_000, id="nested"),
    pytest.param(b'["version", "rows", "facts", "kept"]', id="list"),
    pytest.param(b'{"version": 1, "rows": {}, "facts": {}, "kept": []}', id="version is a number"),
    pytest.param(b'{"version": "1", "rows": ["bars"], "facts": {}, "kept": []}', id="rows are a list"),
    pytest.param(b'{"version": "1", "rows": {"bars": "2"}, "facts": {}, "kept": []}', id="row count is text"),
    pytest.param(b'{"version": "1", "rows": {}, "facts": null, "kept": []}', id="facts are null"),
    pytest.param(b'{"version": "1", "rows": {}, "facts": {}, "kept": [["0"]]}', id="kept are lists"),
]


@pytest.mark.parametrize("pointer", DAMAGED_POINTERS)
def test_damaged_pointer_is_refused_with_its_folder_and_pruning_leaves_it_alone(lake: Lake, pointer: bytes) -> None:
    lake.write("prices", "VOO", OLD, {})
    lake.write("prices", "VOO", NEW, {})
    elsewhere = [lake.write("prices", "GLD", tables, {}) for tables in (OLD, NEW)]
    overwrite(lake, f"prices/VOO/{POINTER}", pointer)
    if not isinstance(lake.files, Bucket):
        overwrite(lake, f"prices/VOO/.{POINTER}.0badf00d", b"")  # of a writer that died
    before = stored(lake)
    assert_refused_as_damaged(lake)
    lake.prune()
    assert stored(lake) == before
    assert [is_stored(lake, version) for version in elsewhere] == [False, True]


def test_every_bit_that_turns_in_a_file_is_found(local_lake: Lake) -> None:
    lake = local_lake
    version = lake.write("prices", "VOO", NEW, {"source": "a file"})
    file, pointer = version.file("bars"), lake.root / "prices" / "VOO" / POINTER
    for damaged, read in (
        (file, lambda: version.read("bars")),
        (file, version.verify),
        (pointer, lambda: lake.current("prices", "VOO")),
    ):
        whole = damaged.read_bytes()
        for bit in range(8 * len(whole)):
            turned = bytearray(whole)
            turned[bit // 8] ^= 1 << bit % 8
            damaged.write_bytes(turned)
            with pytest.raises(DamagedError, match=f"{pointer.parent}: "):
                read()
        damaged.write_bytes(whole)
        read()


def test_pointer_of_a_release_without_checksums_is_read(lake: Lake) -> None:
    lake.write("prices", "VOO", NEW, {"source": "a file"})
    named = json.loads(lake.files.get(f"prices/VOO/{POINTER}")[0])
    older = {name: named[name] for name in ("version", "rows", "facts", "kept")}
    lake.files.put(f"prices/VOO/{POINTER}", json.dumps(older))
    version = lake.current("prices", "VOO")
    assert version is not None
    assert version.facts == {"source": "a file"}
    assert version.read("bars").equals(NEW["bars"])


def test_discarded_partition_is_gone_and_its_neighbour_stays(lake: Lake) -> None:
    gone = lake.write("simulations", "sd8/r10", OLD, {})
    lake.write("simulations", "sd8/r5", NEW, {})
    lake.write("market", "", NEW, {})
    assert lake.keys("simulations") == ["sd8/r10", "sd8/r5"]
    assert (lake.keys("market"), lake.keys("mixes")) == ([""], [])
    lake.discard("simulations", "sd8/r10")
    lake.prune()
    assert lake.current("simulations", "sd8/r10") is None
    assert not is_stored(lake, gone)
    assert lake.keys("simulations") == ["sd8/r5"]


def test_types_and_nulls_survive(lake: Lake) -> None:
    table = pa.table(
        {
            "session": pa.array([16436, None], pa.date32()),
            "ticker": pa.array(["VOO", None], pa.string()),
            "seq": pa.array([1, 2], pa.int32()),
            "price": pa.array([0.1, None], pa.float64()),
        }
    )
    assert lake.write("ledger", "", {"ledger": table}, {}).read("ledger").equals(table)


def test_newest_write_is_current_and_the_version_before_stays_readable(lake: Lake) -> None:
    before = lake.write("prices", "VOO", OLD, {})
    after = lake.write("prices", "VOO", NEW, {})
    assert before.version < after.version
    assert closes(lake) == [3, 4, 5]
    assert before.read("bars").equals(OLD["bars"])


def test_partitions_and_datasets_do_not_meet(lake: Lake) -> None:
    lake.write("simulations", "sd8/r10", OLD, {})
    lake.write("simulations", "sd8/r5", NEW, {})
    lake.write("market", "", NEW, {})
    assert closes(lake, "simulations", "sd8/r10") == [1, 2]
    assert closes(lake, "simulations", "sd8/r5") == [3, 4, 5]
    assert closes(lake, "market", "") == [3, 4, 5]
    assert lake.current("simulations", "sd8") is None


def test_keys_are_listed_while_a_draft_is_renamed(local_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = local_lake
    lake.write("simulations", "sd8/r5", {}, {})
    (lake.root / "simulations" / "sd8" / "r5" / f"draft-{1:020d}-{0:08x}").mkdir()
    look_into = os.scandir

    def scandir(path: str) -> object:
        if "draft-" in str(path):
            raise FileNotFoundError(path)
        return look_into(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert lake.keys("simulations") == ["sd8/r5"]


@pytest.mark.parametrize(
    "key", ["BTC-USD", "^IRX", "BRK.B", "EURUSD=X", "0700.HK", "A" * 20, "BRK.", "strategy=sd8/r2_5"]
)
def test_keys_with_odd_characters_are_stored_read_and_pruned(lake: Lake, key: str) -> None:
    before = lake.write("prices", key, OLD, {})
    lake.write("prices", key, NEW, {})
    lake.prune()
    assert closes(lake, key=key) == [3, 4, 5]
    assert not is_stored(lake, before)


def test_same_tables_give_the_same_bytes(lake: Lake, tmp_path: Path) -> None:
    first = lake.write("prices", "VOO", NEW, {"fetched": "yesterday"})
    second = Lake(tmp_path / "other").write("prices", "elsewhere", NEW, {"fetched": "today"})
    for table in NEW:
        assert first.file(table).read_bytes() == second.file(table).read_bytes()


def test_segments_are_read_in_order_and_the_same_rows_are_one(lake: Lake) -> None:
    names = [lake.append("sweeps", name, NEW["bars"]) for name in ("b", "a", "a")]
    assert lake.segments("sweeps") == [names[1], names[0]]
    assert list(lake.read_segments("sweeps")) == lake.segments("sweeps")
    assert lake.read_segment("sweeps", names[0], ["close"]).equals(NEW["bars"])
    assert lake.remove_segments("sweeps", names[:1])
    assert lake.segments("sweeps") == names[1:2]


def test_segment_that_is_damaged_is_refused(lake: Lake) -> None:
    name = lake.append("sweeps", "a", NEW["bars"])
    overwrite(lake, f"sweeps/{name}{SEGMENT}", b"PAR1")
    with pytest.raises(DamagedError, match=f"{lake.place('sweeps')}: {name}.parquet: SHA-256 "):
        lake.read_segment("sweeps", name)


def test_writer_that_goes_on_from_what_moved_is_refused(lake: Lake) -> None:
    first = lake.write("prices", "VOO", OLD, {}, instead_of=None)
    with pytest.raises(MovedError, match=f"{lake.place('prices', 'VOO')}: another process"):
        lake.write("prices", "VOO", NEW, {}, instead_of=None)
    read = lake.current("prices", "VOO")
    assert read == first
    second = lake.write("prices", "VOO", NEW, {}, instead_of=read)
    with pytest.raises(MovedError):
        lake.write("prices", "VOO", OLD, {}, instead_of=read)
    assert lake.current("prices", "VOO") == second


def test_snapshot_reads_what_it_has_read_before(lake: Lake) -> None:
    first = lake.write("prices", "VOO", OLD, {})
    lake.append("sweeps", "a", OLD["bars"])
    seen = lake.snapshot()
    found = [seen.current("prices", "VOO"), seen.current("prices", "GLD"), seen.keys("prices"), seen.segments("sweeps")]
    for key in ("VOO", "GLD"):
        lake.write("prices", key, NEW, {})
    lake.append("sweeps", "b", NEW["bars"])
    lake.discard("prices", "VOO")
    assert found[:3] == [first, None, ["VOO"]]
    assert found == [
        *(seen.current("prices", key) for key in ("VOO", "GLD")),
        seen.keys("prices"),
        seen.segments("sweeps"),
    ]
    assert seen.current("prices", "VOO").read("bars").equals(OLD["bars"])
    # What it has not asked for before, and what is written through it, it has yet to read.
    written = seen.write("prices", "GLD", OLD, {})
    assert seen.current("prices", "GLD") == written
    assert seen.keys("prices") == ["GLD"]


def test_snapshot_whose_segments_were_merged_has_moved(lake: Lake) -> None:
    name = lake.append("sweeps", "a", OLD["bars"])
    seen = lake.snapshot()
    assert seen.segments("sweeps") == [name]
    lake.append("sweeps", "b", OLD["bars"])
    lake.remove_damaged("sweeps", [name])
    with pytest.raises(MovedError, match=lake.place("sweeps")):
        seen.read_segments("sweeps")
    assert len(lake.read_segments("sweeps")) == 1


def test_version_that_was_pruned_after_its_pointer_was_read_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    lake.write("prices", "VOO", OLD, {})
    read = Lake._pointer

    def and_another_is_written(self: Lake, home: str) -> Version | None:
        monkeypatch.setattr(Lake, "_pointer", read)
        found = read(self, home)
        lake.write("prices", "VOO", NEW, {})
        lake.prune()
        return found

    monkeypatch.setattr(Lake, "_pointer", and_another_is_written)
    found = lake.current("prices", "VOO")
    assert found is not None
    assert found.read("bars").equals(NEW["bars"])


COUNTING = """
import pickle, sys
import pyarrow as pa
from sd_core.lake import until_unmoved
lake = pickle.loads(bytes.fromhex(sys.argv[1]))

def count():
    before = lake.current("prices", "VOO")
    counted = before.facts["counted"] + 1 if before else 1
    kept = (*before.kept, before.version) if before else ()
    tables = {"bars": pa.table({"close": [1.0]})}
    lake.write("prices", "VOO", tables, {"counted": counted}, keep=kept, instead_of=before)

for _ in range(10):
    until_unmoved(count)
"""


def test_processes_that_go_on_from_what_is_stored_lose_no_step_of_each_other(lake: Lake) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", COUNTING, handed_over(lake)]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    last = lake.current("prices", "VOO")
    assert last is not None
    assert (last.facts["counted"], len(last.kept)) == (20, 19)
    lake.prune()
    assert stored(lake) == {POINTER, last.version, *last.kept}


# --- whole or not at all ----------------------------------------------------------------------------------------------


def test_write_that_cannot_be_put_into_place_leaves_the_version_before(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = local_lake
    lake.write("prices", "VOO", OLD, {})
    with monkeypatch.context() as patch:
        patch.setattr("sd_core.files.folder.put_whole", _raise_disk_full)
        with pytest.raises(OSError, match="disk full"):
            lake.write("prices", "VOO", NEW, {})
    assert closes(lake) == [1, 2]
    assert_only_the_current_version_is_left(lake)


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_write_that_fails_at_any_step_leaves_the_version_before(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    lake = local_lake
    lake.write("prices", "VOO", OLD, {})
    with monkeypatch.context() as patch:
        patch.setattr(failing, _raise_disk_full)
        with pytest.raises(OSError, match="disk full"):
            lake.write("prices", "VOO", NEW, {})
    assert closes(lake) == [1, 2]
    assert_only_the_current_version_is_left(lake)


def test_write_that_fails_at_its_second_table_leaves_the_version_before(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write("prices", "VOO", OLD, {})
    write_table: Callable[..., None] = pq.write_table

    def only_bars(table: pa.Table, where: BinaryIO, **options: object) -> None:
        if Path(where.name).stem != "bars":
            _raise_disk_full()
        write_table(table, where, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", only_bars)
        with pytest.raises(OSError, match="disk full"):
            lake.write("prices", "VOO", NEW, {})
    assert closes(lake) == [1, 2]
    lake.write("prices", "VOO", OLD, {})
    lake.prune()
    assert_only_the_current_version_is_left(lake)


def _raise_disk_full(*_: object, **__: object) -> None:
    raise OSError("disk full")


def assert_only_the_current_version_is_left(lake: Lake) -> None:
    current = lake.current("prices", "VOO")
    assert current is not None
    assert stored(lake) == {POINTER, current.version}


# A writer that is killed, without any chance to clean up, when it comes to a function.
KILLED_WRITER = """
import os, signal, stat, sys
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from sd_core.lake import Lake

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_at_the_second(table, where, write_table=pq.write_table, **options):
    die() if "bars" not in str(where.name) else write_table(table, where, **options)

renamed = []

def replace(draft, place, replace=Path.replace):
    renamed.append(place)
    if step == ("version's name", "pointer's name")[len(renamed) - 1]:
        die()
    replace(draft, place)

def sync(handle, sync=os.fsync):
    if renamed and step == "pointer's text" and stat.S_ISREG(os.fstat(handle).st_mode):
        die()
    sync(handle)

root, step = Path(sys.argv[1]), sys.argv[2]
Path.replace, os.fsync = replace, sync
if step == "second table":
    pq.write_table = die_at_the_second
Lake(root).write("prices", "VOO", {"bars": pa.table({"close": [9.0]}), "splits": pa.table({"ratio": [9.0]})}, {})
"""


@pytest.mark.parametrize("step", ["second table", "version's name", "pointer's text", "pointer's name"])
@pytest.mark.parametrize("stored_before", [True, False])
def test_killed_writer_leaves_nothing_visible_and_pruning_clears_the_rest(
    local_lake: Lake, step: str, stored_before: bool
) -> None:
    lake = local_lake
    if stored_before:
        lake.write("prices", "VOO", OLD, {})
    died = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(lake.root), step], timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    home = lake.root / "prices" / "VOO"
    current = lake.current("prices", "VOO")
    expected = {POINTER, current.version} if current else set()
    assert (current is not None) == stored_before
    assert names(home) > expected
    lake.prune()
    assert names(home) == expected
    if stored_before:
        assert closes(lake) == [1, 2]


def recorded_calls(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[str]:
    """Return a list that takes, from now on, what is handed to the disk and what is renamed below a folder."""
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def said(place: Path) -> str:
        short = "/".join(place.relative_to(root.parent).parts)
        return re.sub(r"[0-9]{20}-[0-9a-f]{8}", "VERSION", re.sub(r"json\.[0-9a-f]{8}$", "json.DRAFT", short))

    def record_sync(handle: int) -> None:
        calls.append(f"sync {said(Path(f'/proc/self/fd/{handle}').readlink())}")
        fsync(handle)

    def record_rename(draft: Path, place: Path) -> Path:
        calls.append(f"rename {said(draft)} to {place.name if place.name == POINTER else 'VERSION'}")
        return replace(draft, place)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_rename)
    return calls


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="expected /proc, by which an open file is known")
def test_disk_holds_each_name_before_the_next_step_counts_on_it(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = local_lake
    calls = recorded_calls(monkeypatch, lake.root)
    lake.write("prices", "VOO", OLD, {})
    first = [*calls]
    calls.clear()
    lake.write("prices", "VOO", NEW, {})
    # New folders are names too: each folder above is handed to the disk once it has a new one.
    # What the first write begins, it notes at its end.
    noted = ["sync lake/.layout.json.DRAFT", "rename lake/.layout.json.DRAFT to VERSION", "sync lake"]
    assert first == ["sync lake/prices", "sync lake", *calls, *noted]
    assert calls == [
        "sync lake/prices/VOO/draft-VERSION/bars.parquet",
        "sync lake/prices/VOO/draft-VERSION/splits.parquet",
        "sync lake/prices/VOO/draft-VERSION",
        "rename lake/prices/VOO/draft-VERSION to VERSION",
        "sync lake/prices/VOO",
        "sync lake/prices/VOO/.current.json.DRAFT",
        "rename lake/prices/VOO/.current.json.DRAFT to current.json",
        "sync lake/prices/VOO",
    ]


def test_small_file_is_put_whole_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "note.json"
    put_whole(file, "old")
    monkeypatch.setattr(os, "fsync", _raise_disk_full)
    with pytest.raises(OSError, match="disk full"):
        put_whole(file, "new")
    assert file.read_text() == "old"
    assert names(tmp_path) == {"note.json"}
    monkeypatch.undo()
    put_whole(file, "new, in ünïcode")
    assert file.read_text(encoding="utf-8") == "new, in ünïcode"


# --- pruning ----------------------------------------------------------------------------------------------------------


def test_pruning_removes_superseded_versions_everywhere(lake: Lake) -> None:
    places = [("market", ""), ("prices", "VOO"), ("simulations", "sd8/r10")]
    before = [lake.write(dataset, key, OLD, {}) for dataset, key in places]
    after = [lake.write(dataset, key, NEW, {}) for dataset, key in places]
    lake.prune()
    assert not any(is_stored(lake, version) for version in before)
    assert [lake.current(dataset, key) for dataset, key in places] == after
    assert all(version.read("bars").equals(NEW["bars"]) for version in after)


def test_pruning_leaves_the_versions_that_are_kept(lake: Lake) -> None:
    first, second, third = (lake.write("prices", "VOO", OLD, {}) for _ in range(3))
    last = lake.write("prices", "VOO", NEW, {}, keep=(first.version, third.version))
    lake.prune()
    assert stored(lake) == {POINTER, first.version, third.version, last.version}
    assert not is_stored(lake, second)


def test_pruning_leaves_files_and_folders_of_others(local_lake: Lake) -> None:
    lake = local_lake
    lake.write("prices", "VOO", NEW, {})
    (lake.root / "draft.duckdb").write_text("not ours")
    (lake.root / "draft-notes").mkdir()
    (lake.root / "prices" / "VOO" / "2015").mkdir()
    lake.prune()
    assert (lake.root / "draft.duckdb").exists()
    assert (lake.root / "draft-notes").exists()
    assert (lake.root / "prices" / "VOO" / "2015").exists()


def test_pruning_an_empty_lake_or_twice_does_nothing(lake: Lake) -> None:
    lake.prune()
    lake.write("prices", "VOO", NEW, {})
    lake.prune()
    lake.prune()
    assert closes(lake) == [3, 4, 5]


def test_dataset_behind_a_link_is_found_and_pruned(local_lake: Lake, tmp_path: Path) -> None:
    lake = local_lake
    lake.write("simulations", "r0/sd8", OLD, {})
    moved = tmp_path / "other-disk"
    shutil.move(lake.root / "simulations", moved)
    (lake.root / "simulations").symlink_to(moved)
    written = lake.write("simulations", "r0/sd8", NEW, {})
    # Neither a circle, nor a folder that other lakes lie in, is walked through.
    (lake.root / "circle").symlink_to(lake.root)
    (moved / "above").symlink_to(lake.root.parent)
    other = Lake(lake.root.parent / "other")
    other.write("simulations", "r0/sd8", OLD, {})
    draft = other.root / "simulations" / "r0" / "sd8" / "draft-00000000000000000001-abcdef01"
    draft.mkdir()
    lake.prune()
    assert lake.keys("simulations") == ["r0/sd8"]
    assert sorted(one.name for one in (moved / "r0" / "sd8").iterdir()) == [written.version, POINTER]
    assert draft.is_dir()


@pytest.mark.parametrize("name", ["00000000000000000001-abcdef01", "draft-00000000000000000001-abcdef01"])
def test_link_with_the_name_of_a_version_goes_and_what_it_leads_to_stays(
    local_lake: Lake, tmp_path: Path, name: str
) -> None:
    lake = local_lake
    lake.write("prices", "AAA", OLD, {})
    mine = tmp_path / "mine"
    mine.mkdir()
    link = lake.root / "prices" / "AAA" / name
    link.symlink_to(mine)
    lake.prune()
    assert not link.is_symlink()
    assert mine.is_dir()


def test_pruning_does_nothing_during_a_read(lake: Lake) -> None:
    before = lake.write("prices", "VOO", OLD, {})
    with lake.shared():
        current = lake.current("prices", "VOO")
        lake.write("prices", "VOO", NEW, {})
        pickle.loads(pickle.dumps(lake)).prune()
        assert current == before
        assert current.read("bars").equals(OLD["bars"])
    lake.prune()
    assert not is_stored(lake, before)


READER = """
import pickle, sys
with pickle.loads(bytes.fromhex(sys.argv[1])).shared():
    print("reading", flush=True)
    sys.stdin.read()
"""


def test_pruning_waits_for_another_reading_process_and_works_once_it_is_killed(lake: Lake) -> None:
    before = lake.write("prices", "VOO", OLD, {})
    lake.write("prices", "VOO", NEW, {})
    with subprocess.Popen(
        [sys.executable, "-c", READER, handed_over(lake)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        lake.prune()
        assert is_stored(lake, before)
        reader.kill()
    lake.prune()
    assert not is_stored(lake, before)


# --- many at once -----------------------------------------------------------------------------------------------------

WRITER = """
import pickle, sys
import pyarrow as pa
lake, writer = pickle.loads(bytes.fromhex(sys.argv[1])), int(sys.argv[2])
for turn in range(20):
    number = writer * 1000 + turn
    tables = {"bars": pa.table({"close": [float(number)] * 100}), "splits": pa.table({"ratio": [float(number)]})}
    lake.write("prices", "VOO", tables, {"number": number})
"""


def assert_whole(lake: Lake) -> None:
    """Read the current version as a reader should, and find all of one write."""
    with lake.shared():
        version = lake.current("prices", "VOO")
        assert version is not None
        number = version.facts["number"]
        assert version.read("bars")["close"].to_pylist() == [number] * 100
        assert version.read("splits")["ratio"].to_pylist() == [number]


def test_processes_that_write_one_partition_at_once_leave_one_whole_version(lake: Lake) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, handed_over(lake), str(writer)]) for writer in range(4)]
    while any(writer.poll() is None for writer in writers):
        lake.prune()
        if lake.current("prices", "VOO") is not None:
            assert_whole(lake)
    assert [writer.wait() for writer in writers] == [0] * 4
    assert_whole(lake)
    current = lake.current("prices", "VOO")
    assert current is not None
    assert current.facts["number"] % 1000 == 19  # the last that one of them wrote
    assert_last_write_alone_is_left(lake)


def assert_last_write_alone_is_left(lake: Lake) -> None:
    # Of two that wrote in the same second, a bucket does not say which was first; of a later one it does.
    last = lake.write("prices", "VOO", NEW, {})
    lake.prune()
    assert stored(lake) == {POINTER, last.version}


def test_threads_that_write_one_partition_at_once_leave_one_whole_version(lake: Lake) -> None:
    def write(number: int) -> None:
        tables = {"bars": pa.table({"close": [float(number)] * 100}), "splits": pa.table({"ratio": [float(number)]})}
        lake.write("prices", "VOO", tables, {"number": number})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(lake)
    assert_last_write_alone_is_left(lake)
