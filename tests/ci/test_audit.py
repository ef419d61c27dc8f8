"""The audit of pinned packages, by a server on this machine that answers as OSV does, and by a copy of its database.

What is affected follows https://ossf.github.io/osv-schema/#evaluation.
"""

import importlib.util
import json
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.lab import PROJECT

SPEC = importlib.util.spec_from_file_location("audit", PROJECT / ".ci" / "audit.py")
assert SPEC is not None
assert SPEC.loader is not None
audit = sys.modules["audit"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)


def record(name: str, *events: dict[str, str], package: str = "acme", **more: Any) -> dict[str, Any]:
    """Return a vulnerability of a package with the events of one range."""
    affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": name, "summary": f"what {name} does", "affected": [affected], **more}


TWO_SPANS = ({"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "2.0rc1"}, {"last_affected": "2.10"})
OLD = record("GHSA-1", *TWO_SPANS, aliases=["CVE-2026-1"])


class Osv:
    """A server that answers as OSV does; the second page of a package's answer comes when it is asked for.

    Attributes:
        pages: ids by package, a list per page.
        records: by id.
        queries: how many packages each request asked for.
        body: an answer of another kind to all requests, if any.
    """

    def __init__(self) -> None:
        self.pages: dict[str, list[list[str]]] = {}
        self.records: dict[str, Any] = {}
        self.queries: list[int] = []
        self.body: bytes | None = None
        handler = type("Handler", (_Handler,), {"osv": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    osv: Osv

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.osv.queries.append(len(asked))
        self._answer({"results": [self._page(query) for query in asked]})

    def _page(self, query: dict[str, Any]) -> dict[str, Any]:
        assert query["package"]["ecosystem"] == "PyPI"
        pages = self.osv.pages.get(query["package"]["name"], [])
        number = int(query.get("page_token", 0))
        # Without a finding there is no key at all.
        vulns = {"vulns": [{"id": name, "modified": "2026-01-01T00:00:00Z"} for name in pages[number]]} if pages else {}
        return vulns | ({"next_page_token": str(number + 1)} if number + 1 < len(pages) else {})

    def do_GET(self) -> None:
        self._answer(self.osv.records[self.path.removeprefix("/v1/vulns/")])

    def _answer(self, content: Any) -> None:
        body = self.osv.body or json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def osv() -> Iterator[Osv]:
    server = Osv()
    yield server
    server.stop()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """Return a function that audits three pins, and what it ended with and printed."""
    pins, accepted = tmp_path / "pins.txt", tmp_path / "accepted.toml"
    pins.write_text("Acme==1.1\nother.name==3.0.0\nthird==1\n", encoding="utf-8")

    def run(*arguments: str, accept: str = "") -> tuple[int, list[str]]:
        accepted.write_text(accept, encoding="utf-8")
        code = audit.main(["--pins", str(pins), "--accepted", str(accepted), *arguments])
        return code, capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(
    ("version", "affected", "fixed"),
    [
        ("0.1", True, "1.2"),
        ("1.2rc1", True, "1.2"),
        ("1.2", False, None),
        ("1.10", False, None),
        ("2.0rc1", True, None),
        ("2.9", True, None),
        ("2.10", True, None),
        ("2.10.post1", False, None),
    ],
)
def test_version_is_affected_where_the_range_says_so(version: str, affected: bool, fixed: str | None) -> None:
    found = audit.findings({"acme": version}, [OLD])
    assert [one.fixed for one in found] == ([fixed] if affected else [])


def test_listed_version_is_affected_without_a_range() -> None:
    listed = {"package": {"name": "Acme", "ecosystem": "PyPI"}, "versions": ["1.0", "1.1"]}
    found = audit.findings({"acme": "1.1"}, [{"id": "PYSEC-1", "details": "first\nsecond", "affected": [listed]}])
    assert [str(one) for one in found] == ["acme 1.1: PYSEC-1: not fixed in any version yet: first"]


def test_what_was_withdrawn_or_is_of_another_package_is_no_finding() -> None:
    withdrawn = record("GHSA-2", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z")
    elsewhere = record("GHSA-3", {"introduced": "0"})
    elsewhere["affected"][0]["package"]["ecosystem"] = "npm"
    of_git = record("GHSA-4", {"introduced": "0"})
    of_git["affected"][0]["ranges"][0]["type"] = "GIT"
    assert audit.findings({"acme": "1.1"}, [withdrawn, elsewhere, of_git]) == []


def test_server_is_asked_once_for_all_pins_and_findings_end_with_1(run: Any, osv: Osv) -> None:
    osv.records = {"GHSA-1": OLD, "GHSA-5": record("GHSA-5", {"introduced": "0"}, package="other-name")}
    osv.pages = {"acme": [["GHSA-1"]], "other-name": [["GHSA-5"]]}
    assert run("--server", osv.url) == (
        1,
        [
            "audit: acme 1.1: GHSA-1, CVE-2026-1: fixed in 1.2: what GHSA-1 does",
            "audit: other-name 3.0.0: GHSA-5: not fixed in any version yet: what GHSA-5 does",
            "audit: 3 pins: 2 known vulnerabilities, 0 more are accepted",
        ],
    )
    assert osv.queries == [3]


def test_further_pages_are_asked_for(run: Any, osv: Osv) -> None:
    osv.records = {name: record(name, {"introduced": "0"}) for name in ("GHSA-1", "GHSA-2")}
    osv.pages = {"acme": [["GHSA-1"], ["GHSA-2"]]}
    code, lines = run("--server", osv.url)
    assert (code, len(lines), osv.queries) == (1, 3, [3, 1])


def test_pins_without_findings_end_with_0(run: Any, osv: Osv) -> None:
    assert run("--server", osv.url) == (0, ["audit: 3 pins: 0 known vulnerabilities, 0 more are accepted"])


@pytest.mark.parametrize("name", ["GHSA-1", "CVE-2026-1"])
def test_accepted_finding_is_none_and_one_that_is_gone_is_said(run: Any, osv: Osv, name: str) -> None:
    osv.records, osv.pages = {"GHSA-1": OLD}, {"acme": [["GHSA-1"]]}
    code, lines = run("--server", osv.url, accept=f'{name} = "we open no such file"\nGHSA-9 = "never called"\n')
    assert (code, lines) == (
        0,
        [
            "audit: GHSA-9 is accepted, and was not found: it can go from the list",
            "audit: 3 pins: 0 known vulnerabilities, 1 more are accepted",
        ],
    )


def test_accepted_finding_without_a_reason_is_refused(run: Any) -> None:
    with pytest.raises(SystemExit, match="GHSA-1: expected the reason for which it is accepted"):
        run(accept='GHSA-1 = " "')


def test_server_that_cannot_be_reached_is_a_skip_with_a_reason(run: Any) -> None:
    code, lines = run("--server", "http://127.0.0.1:9")
    assert (code, lines) == (
        0,
        ["audit: skipped: http://127.0.0.1:9 did not answer as OSV does (ConnectionError): nothing was judged"],
    )


def test_page_of_a_proxy_is_a_skip_too(run: Any, osv: Osv) -> None:
    osv.body = b"<html>Sign in</html>"
    code, [line] = run("--server", osv.url)
    assert (code, "(JSONDecodeError)" in line) == (0, True)


def test_copy_of_the_database_needs_no_server(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    with zipfile.ZipFile(file, "w") as documents:
        for one in (OLD, record("GHSA-2", {"introduced": "2"}), record("GHSA-3", {"introduced": "0"}, package="else")):
            documents.writestr(f"{one['id']}.json", json.dumps(one))
    code, lines = run("--server", "http://127.0.0.1:9", "--database", str(file))
    assert (code, lines[0]) == (1, "audit: acme 1.1: GHSA-1, CVE-2026-1: fixed in 1.2: what GHSA-1 does")
    assert len(lines) == 2


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_file_that_is_no_database_is_refused(run: Any, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "all.zip"
    if content:
        file.write_bytes(content)
    with pytest.raises(SystemExit, match=r"all\.zip: .*expected the ZIP file that OSV publishes"):
        run("--database", str(file))


def test_pins_and_accepted_findings_of_the_project_can_be_read() -> None:
    assert {"duckdb", "dagster", "ruamel-yaml"} <= audit.read_pins(audit.PINS).keys()
    audit.read_accepted(audit.ACCEPTED)


def test_line_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    file.write_text("numpy>=2\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="expected lines such as"):
        audit.read_pins(file)
