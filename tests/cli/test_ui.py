"""The page: what the guard lets through and refuses, by itself and as served by ``sdlab ui``, and how serving ends."""

import asyncio
import http.client
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest
from support.lab import Lab

from pipelines.web.guard import Guard
from sd_core.locks import locked

PATIENCE = 90
PORT = 3000
OWN = ("127.0.0.1:3000", "localhost:3000", "[::1]:3000")
JSON = {"content-type": "application/json"}
HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "graphql-ws",
}
# What browsers send of their own accord with what a page does.
LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FRAME = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
IMAGE = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
ELSEWHERE = {"sec-fetch-site": "cross-site"}
OTHER_PORT = {"sec-fetch-site": "same-site"}
OURS = {"sec-fetch-site": "same-origin"}
TYPED = {"sec-fetch-site": "none"}


# The guard by itself


@dataclass(frozen=True)
class Answer:
    """What the guard answered, None where it passed the request on; and all messages that were sent."""

    status: int | None
    sent: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """The body."""
        return b"".join(message.get("body", b"") for message in self.sent).decode()


def ask(
    method: str,
    address: str,
    headers: dict[str, str] | list[tuple[str, str]],
    host: str | None = OWN[0],
    kind: str = "http",
    extensions: tuple[str, ...] = ("websocket.http.response",),
    port: int = PORT,
) -> Answer:
    """Send a request through a guard to an application that takes everything."""
    path, _, query = address.partition("?")
    pairs = [*([("host", host)] if host else []), *(headers.items() if isinstance(headers, dict) else headers)]
    scope = {
        "type": kind,
        **({"method": method} if kind == "http" else {}),
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
        "extensions": {name: {} for name in extensions},
    }
    passed: list[Any] = []
    sent: list[dict[str, Any]] = []

    async def app(scope, receive, send) -> None:
        passed.append(scope)

    async def receive() -> dict[str, Any]:
        return {}

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(Guard(app, port)(scope, receive, send))
    assert bool(passed) != bool(sent)
    return Answer(sent[0].get("status") if sent else None, sent)


@pytest.mark.parametrize("host", OWN)
@pytest.mark.parametrize(
    ("method", "address", "headers"),
    [
        pytest.param("GET", "/", {**TYPED, **LINK}, id="page typed in"),
        pytest.param("GET", "/runs?status=failed", {**ELSEWHERE, **LINK}, id="page by a link from elsewhere"),
        pytest.param("GET", "/", {**OTHER_PORT, **LINK}, id="page by a link from another port"),
        pytest.param("GET", "/_next/a.js", OURS, id="script"),
        pytest.param("GET", "/server_info", {}, id="program"),
        pytest.param("POST", "/graphql", JSON, id="program's query"),
        pytest.param("POST", "/graphql?op=Assets", {**JSON, **OURS, "origin": "http://{host}"}, id="page's query"),
        pytest.param("POST", "/graphql", {"content-type": "Application/JSON; charset=utf-8"}, id="charset"),
        pytest.param("GET", "/graphql", {**TYPED, **LINK, "accept": "text/html"}, id="GraphiQL"),
        pytest.param("POST", "/report_asset_materialization/lake/prices", {}, id="program's report"),
    ],
)
def test_guard_lets_own_pages_and_programs_through(
    host: str, method: str, address: str, headers: dict[str, str]
) -> None:
    headers = {name: value.format(host=host) for name, value in headers.items()}
    assert ask(method, address, headers, host).status is None


@pytest.mark.parametrize("headers", [{}, {"origin": "http://localhost:3000", **OURS}], ids=["program", "page"])
def test_guard_lets_own_websocket_through(headers: dict[str, str]) -> None:
    assert ask("GET", "/graphql", headers, kind="websocket").status is None


def test_guard_takes_no_port_for_80() -> None:
    origin = {"origin": "http://localhost", **JSON}
    assert ask("POST", "/graphql", origin, "localhost", port=80).status is None
    assert ask("POST", "/graphql", origin, "localhost", port=3000).status == 421


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example:3000",
            "127.0.0.1.evil.example:3000",
            "localhost",
            "localhost:3001",
            "127.0.0.2:3000",
            "",
            None,
        ),
        # Other spellings of this machine, and names that only look like one.
        *("127.0.0.1:3000.", "localhost.:3000", "127.1:3000", "2130706433:3000", "0.0.0.0:3000", "localhost:03000"),
        *("[0:0:0:0:0:0:0:1]:3000", "[::ffff:127.0.0.1]:3000", "rebind.localhost:3000", "user@localhost:3000"),
        *("localhost:3000@evil.example", "localhost:3000,evil.example", "evil.example#localhost:3000"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_guard_refuses_a_host_that_is_not_its_own(host: str | None, kind: str) -> None:
    assert ask("GET", "/", {}, host, kind).status == 421


def test_guard_takes_a_host_in_capitals() -> None:
    assert ask("GET", "/", {}, "LOCALHOST:3000").status is None


@pytest.mark.parametrize("site", ["none, cross-site", "CROSS-SITE", ""])
def test_guard_refuses_a_site_that_is_not_exactly_its_own(site: str) -> None:
    assert ask("POST", "/graphql", {**JSON, "sec-fetch-site": site}).status == 403


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_guard_takes_no_other_method_from_a_header(name: str) -> None:
    assert ask("GET", "/graphql?query=mutation{a}", {**JSON, name: "POST"}).status == 403
    assert ask("POST", "/graphql?_method=GET", {"content-type": "text/plain", name: "GET"}).status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_guard_refuses_every_method_of_a_page_elsewhere(method: str, path: str) -> None:
    assert ask(method, path, {**JSON, **ELSEWHERE, **LINK}).status == 403


def test_guard_refuses_two_hosts() -> None:
    assert ask("GET", "/", {"Host": "evil.example:3000"}).status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://evil.example:3000",
        "http://localhost:3001",
        "http://localhost",
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "null",
        "",
    ],
)
@pytest.mark.parametrize(("kind", "method"), [("http", "POST"), ("http", "OPTIONS"), ("websocket", "GET")])
def test_guard_refuses_an_origin_that_is_not_its_own(origin: str, kind: str, method: str) -> None:
    assert ask(method, "/graphql", {**JSON, "origin": origin}, kind=kind).status == 403


def test_guard_refuses_a_foreign_origin_beside_its_own() -> None:
    origins = [("origin", "http://localhost:3000"), ("origin", "http://evil.example")]
    assert ask("GET", "/", origins).status == 403


@pytest.mark.parametrize("site", [ELSEWHERE, OTHER_PORT], ids=["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("kind", "method", "address", "headers"),
    [
        pytest.param("http", "GET", "/graphql?query={version}", IMAGE, id="image"),
        pytest.param("http", "GET", "/logs/a.out", IMAGE, id="image of a file"),
        pytest.param("http", "GET", "/", FRAME, id="frame"),
        pytest.param("http", "GET", "/graphql", LINK, id="link to GraphiQL"),
        pytest.param("http", "HEAD", "/", LINK, id="head"),
        pytest.param("http", "POST", "/report_asset_materialization/lake/prices", LINK, id="form"),
        pytest.param("http", "POST", "/graphql", JSON, id="query"),
        pytest.param("websocket", "GET", "/graphql", {}, id="websocket"),
    ],
)
def test_guard_refuses_what_a_page_elsewhere_does_but_a_link(
    site: dict[str, str], kind: str, method: str, address: str, headers: dict[str, str]
) -> None:
    assert ask(method, address, {**site, **headers}, kind=kind).status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["query=mutation{a}", "query={version}", "%71uery=mutation{a}", "a&query="])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_guard_refuses_a_query_in_an_address(method: str, path: str, query: str) -> None:
    assert ask(method, f"{path}?{query}", {"accept": "text/html"}).status == 403


@pytest.mark.parametrize(
    "types",
    [
        [],
        ["text/plain"],
        ["text/plain; application/json"],
        ["text/plain;charset=application/json"],
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data; boundary=application/json"],
        ["application/graphql"],
        ["application/jsonx"],
        ["application/json", "text/plain"],
    ],
    ids=str,
)
def test_guard_refuses_a_query_that_a_form_could_send(types: list[str]) -> None:
    assert ask("POST", "/graphql", [("content-type", value) for value in types]).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"content-length": "1000000"}, None, id="a megabyte"),
        pytest.param({"content-length": "1000001"}, 413, id="more"),
        pytest.param({"content-length": "9" * 30}, 413, id="much more"),
        pytest.param({"transfer-encoding": "chunked"}, 411, id="unstated"),
    ],
)
@pytest.mark.parametrize("path", ["/graphql", "/report_asset_check/lake/prices"])
def test_guard_refuses_a_body_larger_than_a_megabyte(headers: dict[str, str], status: int | None, path: str) -> None:
    assert ask("POST", path, {**JSON, **headers}).status == status


def test_every_answer_may_be_framed_by_no_page_and_taken_for_no_other_type() -> None:
    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"own")]})

    sent: list[dict[str, Any]] = []

    async def take(message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", OWN[0].encode())]}
    asyncio.run(Guard(app, PORT)(scope, take, take))
    refused = ask("GET", "/graphql?query={a}", {}).sent
    for headers in (sent[0]["headers"], refused[0]["headers"]):
        assert (b"content-security-policy", b"frame-ancestors 'none'") in headers
        assert (b"x-frame-options", b"DENY") in headers
        assert (b"x-content-type-options", b"nosniff") in headers
    # Policies add up: the page's own stays.
    assert (b"content-security-policy", b"own") in sent[0]["headers"]


def test_refusal_says_why_in_one_line_of_text() -> None:
    answer = ask("POST", "/graphql", {"content-type": "text/plain"})
    assert answer.text == "refused: Content-Type: expected application/json\n"
    assert (b"content-type", b"text/plain; charset=utf-8") in answer.sent[0]["headers"]


def test_websocket_is_closed_unopened_where_the_server_cannot_answer_in_words() -> None:
    answer = ask("GET", "/graphql", {"origin": "null"}, kind="websocket", extensions=())
    assert [message["type"] for message in answer.sent] == ["websocket.close"]


# The page as served


@dataclass(frozen=True)
class Page:
    """A served study."""

    lab: Lab
    port: int
    process: subprocess.Popen[str]

    def ask(self, method: str, address: str, headers: dict[str, str], body: str | None = None) -> tuple[int, str]:
        """Send a request as it is and return the status and text of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            # An opened WebSocket has no end.
            return answer.status, "" if answer.status == 101 else answer.read().decode()
        finally:
            connection.close()

    def graphql(self, query: str, **headers: str) -> Any:
        """Send a query as Dagster's page does and return its data."""
        status, text = self.ask("POST", "/graphql", JSON | headers, json.dumps({"query": query}))
        assert status == 200, text
        return json.loads(text)["data"]

    @property
    def paused(self) -> bool:
        """Whether the automation of all studies' assets is held: what the attacks are to change."""
        return self.graphql("{ instance { autoMaterializePaused } }")["instance"]["autoMaterializePaused"]


@pytest.fixture
def serve() -> Iterator[Callable[[Lab], Page]]:
    """Return a function that starts serving a lab; the server ends with the test, which killing it would not do."""
    pages: list[Page] = []

    def start(lab: Lab) -> Page:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        pages.append(Page(lab, port, lab.start("ui", "--port", str(port))))
        return pages[-1]

    yield start
    for page in pages:
        page.process.send_signal(signal.SIGINT)
        page.process.communicate(timeout=PATIENCE)


def processes_below(page: Page) -> list[psutil.Process]:
    return psutil.Process(page.process.pid).children(recursive=True)


def daemons_among(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if "dagster._daemon" in process.cmdline()]


def assert_ended(processes: list[psutil.Process]) -> None:
    """Wait for the end of processes; one whose exit status is never read is a zombie."""
    deadline = time.monotonic() + PATIENCE
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
        assert time.monotonic() < deadline, processes
        time.sleep(0.1)


PAUSE = "mutation {{ setAutoMaterializePaused(paused: {paused}) }}"


def assert_own_page_works(page: Page) -> None:
    own = f"http://localhost:{page.port}"
    assert page.ask("GET", "/", {**ELSEWHERE, **LINK})[0] == 200
    assert "GraphiQL" in page.ask("GET", "/graphql", {**TYPED, **LINK, "accept": "text/html"})[1]
    assert page.graphql("{ assetNodes { id } }", **OURS, origin=own)["assetNodes"]
    before = page.paused
    for paused in (not before, before):
        page.graphql(PAUSE.format(paused=json.dumps(paused)), **OURS, origin=own)
        assert page.paused == paused
    assert page.ask("GET", "/graphql", {**HANDSHAKE, **OURS, "origin": own})[0] == 101


# What an asset's page asks of its last materialization.
METADATA = (
    '{ assetOrError(assetKey: {path: ["%s"]}) { ... on Asset { assetMaterializations(limit: 1) { metadataEntries { '
    "label ... on MarkdownMetadataEntry { mdStr } ... on UrlMetadataEntry { url } } } } } }"
)


def metadata(page: Page, asset: str) -> dict[str, str]:
    [event] = page.graphql(METADATA % asset)["assetOrError"]["assetMaterializations"]
    return {one["label"]: one.get("mdStr") or one.get("url") for one in event["metadataEntries"]}


def assert_results_are_shown(page: Page) -> None:
    chart = metadata(page, "report_strategy")["growth_and_drawdown"]
    # Dagster shows Markdown at once where it is shorter than this, and images without a click.
    assert len(chart) < 1_000
    address = re.fullmatch(r"!\[growth and drawdown\]\((/charts/\S+/report_strategy\.svg)\)", chart)
    assert address
    status, drawing = page.ask("GET", address[1], {**OURS, **IMAGE})
    assert status == 200
    assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"
    replaced = address[1].replace("/charts/", "/charts/0")
    status, words = page.ask("GET", replaced, {**OURS, **IMAGE})
    assert (status, "published again" in words) == (410, True)
    status, words = page.ask("GET", address[1].replace("report_strategy", "study"), {})
    assert (status, "nothing to draw of study" in words) == (404, True)
    status, report = page.ask("GET", metadata(page, "report_html")["report"], {**OURS, **LINK})
    assert status == 200
    assert report == page.lab.home.published.report.read_text(encoding="utf-8")


def assert_sensor_runs(page: Page) -> None:
    # The code location has the study's name, which pages show.
    location = page.lab.home.study.name
    asked = f'{{ sensorsOrError(repositorySelector: {{repositoryLocationName: "{location}", repositoryName: '
    asked += (
        '"__repository__"}) { ... on Sensors { results { name sensorState { status ticks(limit: 1) { status } } } } } }'
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        sensors = {one["name"]: one["sensorState"] for one in page.graphql(asked)["sensorsOrError"]["results"]}
        if all(state["ticks"] for state in sensors.values()):
            break
        time.sleep(0.5)
    assert sensors.keys() == {"rebuild_warehouse", "ledger_moved", "run_failed"}
    for state in sensors.values():
        assert state["status"] == "RUNNING"
        assert state["ticks"][0]["status"] in ("STARTED", "SKIPPED", "SUCCESS")


def assert_attacks_are_refused_and_change_nothing(page: Page) -> None:
    before = page.paused
    mutation = PAUSE.format(paused=json.dumps(not before))
    address = "/graphql?query=" + mutation.replace(" ", "%20")
    body = json.dumps({"query": mutation})
    attacks: list[tuple[int, str, str, dict[str, str], str | None]] = [
        (403, "GET", address, {}, None),
        (403, "GET", address, {**ELSEWHERE, **IMAGE}, None),
        (403, "GET", address, {**ELSEWHERE, **LINK}, None),
        (403, "GET", address.replace("graphql", "%67raphql"), {}, None),
        (403, "POST", address, {"content-type": "application/x-www-form-urlencoded"}, ""),
        (403, "POST", "/graphql", {**JSON, "origin": "http://evil.example"}, body),
        (403, "POST", "/graphql", {**JSON, "origin": "null"}, body),
        (403, "POST", "/graphql", {**JSON, **OTHER_PORT}, body),
        (403, "POST", "/graphql", {"content-type": "text/plain"}, body),
        (403, "POST", "/graphql", {"content-type": "text/plain; application/json"}, body),
        (403, "POST", "/graphql", {"content-type": "application/graphql"}, mutation),
        (421, "POST", "/graphql", {**JSON, "host": f"evil.example:{page.port}"}, body),
        (421, "GET", "/", {"host": f"evil.example:{page.port}"}, None),
        (403, "GET", "/", {**ELSEWHERE, **FRAME}, None),
        (403, "GET", "/report", {**ELSEWHERE, **IMAGE}, None),
        (403, "POST", "/report_asset_materialization/lake/prices", {**ELSEWHERE, **LINK}, ""),
        (413, "POST", "/graphql", JSON, json.dumps({"query": mutation, "padding": "x" * 1_000_000})),
        (411, "POST", "/graphql", {**JSON, "transfer-encoding": "chunked"}, None),
        (403, "GET", "/graphql", {**HANDSHAKE, "origin": "http://evil.example"}, None),
        (403, "GET", "/graphql", {**HANDSHAKE, **ELSEWHERE}, None),
        (421, "GET", "/graphql", {**HANDSHAKE, "host": f"evil.example:{page.port}"}, None),
    ]
    assert len(attacks) >= 20
    for status, method, target, headers, sent in attacks:
        answered, text = page.ask(method, target, headers, sent)
        assert answered == status, (method, target, headers)
        assert text.startswith("refused: ")
        assert text.count("\n") == 1
    assert page.paused == before


def assert_second_server_is_refused(page: Page) -> None:
    outcome = page.lab.sdlab("ui", "--port", str(page.port + 1))
    assert outcome.code == 2
    who = f"small: already being served at http://127.0.0.1:{page.port} by process {page.process.pid}"
    assert f"{who}, which `kill -INT {page.process.pid}` ends: expected one" in outcome.err
    # Another study of the same home that asks for the same port learns whose it is.
    text = page.lab.study_file.read_text(encoding="utf-8").replace("name: small", "name: other")
    page.lab.root.joinpath("other.yaml").write_text(text, encoding="utf-8")
    other = Lab(page.lab.root / "other.yaml", page.lab.root).sdlab("ui", "--port", str(page.port))
    assert other.code == 2
    assert f"--port {page.port}: expected a free port on 127.0.0.1, 1 to 65535, or 0 for any" in other.err
    assert who in other.err


def assert_interrupt_ends_all_with_0(page: Page) -> None:
    below = processes_below(page)
    assert len(daemons_among(below)) == 1
    page.process.send_signal(signal.SIGINT)
    assert page.process.wait(PATIENCE) == 0
    assert_ended(below)


def test_served_page_works_refuses_every_attack_and_ends_whole(lab: Lab, serve: Callable[[Lab], Page]) -> None:
    # One server for all of it: it takes ten seconds to start.
    page = serve(lab)
    assert page.process.stdout is not None
    assert any("http://" in line for line in page.process.stdout), page.process.communicate()
    assert_own_page_works(page)
    assert_results_are_shown(page)
    assert_sensor_runs(page)
    assert_attacks_are_refused_and_change_nothing(page)
    assert_second_server_is_refused(page)
    assert_interrupt_ends_all_with_0(page)


def test_killed_command_leaves_no_process_and_port_0_is_one_that_is_free(
    fresh_lab: Lab, processes: list[subprocess.Popen[str]]
) -> None:
    process = fresh_lab.start("ui", "--port", "0")
    processes.append(process)
    assert process.stdout is not None
    address = next(found for line in process.stdout if (found := re.search(r"http://127.0.0.1:([0-9]+) ", line)))
    assert int(address[1]) > 0
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(daemons_among(below)) == 1
    process.kill()
    assert_ended(below)
    with locked(fresh_lab.home.dagster_home / ".ui.lock", wait=False) as lock:
        assert lock is not None


@pytest.mark.parametrize("killed", ["the daemon", "the webserver"])
def test_server_that_ends_by_itself_is_reported_with_1_and_leaves_no_daemon(
    fresh_lab: Lab, serve: Callable[[Lab], Page], killed: str
) -> None:
    page = serve(fresh_lab)
    daemons: list[psutil.Process] = []
    while not daemons and page.process.poll() is None:
        time.sleep(0.1)
        daemons = daemons_among(processes_below(page))
    [daemon] = daemons
    (daemon if killed == "the daemon" else daemon.parent()).kill()
    assert page.process.wait(PATIENCE) == 1
    assert page.process.stderr is not None
    assert "the server ended by itself" in page.process.stderr.read()
    assert_ended(daemons)
