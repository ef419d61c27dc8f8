"""What keeps foreign web pages away from a server on this machine, which any page can ask through its reader's browser.

Dagster's webserver takes mutations from any sender. The guard is in front of it and knows nothing of Dagster but
the path of its GraphQL. Programs on this machine are let through: the user's own can do all of it
without the server.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
NAMES = (HOST, "localhost", "[::1]")
GRAPHQL = "/graphql"
HTTP_PORT = 80

FORBIDDEN = 403
LENGTH_REQUIRED = 411
TOO_LARGE = 413
MISDIRECTED = 421

# Of a body; what a page asks of Dagster takes a few kilobytes.
LARGEST_BODY = 1_000_000
# With every answer: no other page shows it in a frame, takes it for another type of file, or learns its address.
ANSWERED_WITH = (
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

Refusal = tuple[int, str]


class Guard:
    """Pass on to an ASGI application what its own pages, or programs on this machine, ask of it; refuse the rest."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == HTTP_PORT else set())
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one opened WebSocket."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, _unframed(send))
        else:
            await _refuse(scope, _unframed(send), *refusal)

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Return the status and reason with which a request is refused, or None where it is let through."""
        # A name that some page had its own server resolve to this machine is still the page's in this header.
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return MISDIRECTED, f"Host: expected one of {', '.join(sorted(self._hosts))}"
        # Browsers send it with every POST and every WebSocket, those of a foreign page too; other programs need not.
        if any(origin not in self._origins for origin in _values(scope, b"origin")):
            return FORBIDDEN, f"Origin: expected none or one of {', '.join(sorted(self._origins))}"
        if _from_elsewhere(scope) and not _opens_page(scope):
            return (
                FORBIDDEN,
                "Sec-Fetch-Site: expected a request of our own page; a link from elsewhere may open a page",
            )
        if scope["type"] == "websocket":
            return None
        return _body_refusal(scope) or (_graphql_refusal(scope) if _is_graphql(scope) else None)


def _body_refusal(scope: Scope) -> Refusal | None:
    if _values(scope, b"transfer-encoding"):
        return LENGTH_REQUIRED, "Transfer-Encoding: expected a body whose length is stated"
    if any(int(length) > LARGEST_BODY for length in _values(scope, b"content-length")):
        return TOO_LARGE, f"Content-Length: expected at most {LARGEST_BODY} bytes"
    return None


def _unframed(send: Send) -> Send:
    """Return a function that sends an answer with the headers that every answer has."""

    async def sent(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message = {**message, "headers": [*message.get("headers", ()), *ANSWERED_WITH]}
        await send(message)

    return sent


def _from_elsewhere(scope: Scope) -> bool:
    # Another port of this machine is another site's page too: it is `same-site`.
    return any(site not in ("same-origin", "none") for site in _values(scope, b"sec-fetch-site"))


def _opens_page(scope: Scope) -> bool:
    """Return whether a link opens a page in a tab of its own, and not in a frame of some other page."""
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and not _is_graphql(scope)
        and _values(scope, b"sec-fetch-mode") == ["navigate"]
        and _values(scope, b"sec-fetch-dest") == ["document"]
    )


def _graphql_refusal(scope: Scope) -> Refusal | None:
    if scope["method"] in ("GET", "HEAD"):
        # Dagster runs a query in the address, mutations too; an image's address is enough to send one.
        return (FORBIDDEN, "GET: expected no query; GraphQL is sent by POST") if scope["query_string"] else None
    # Exactly this type, which no page sends elsewhere unasked; Dagster takes `text/plain; application/json` for it.
    types = [value.partition(";")[0].strip().lower() for value in _values(scope, b"content-type")]
    return None if types == ["application/json"] else (FORBIDDEN, "Content-Type: expected application/json")


def _is_graphql(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.rstrip("/") == GRAPHQL


def _values(scope: Scope, name: bytes) -> list[str]:
    """Return all values of a header, as sent."""
    return [value.decode("latin-1") for header, value in scope["headers"] if header.lower() == name]


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    """Answer with a status and one line of text; a WebSocket is refused before it is opened."""
    kind = "http.response"
    if scope["type"] == "websocket":
        kind = "websocket.http.response"
        if kind not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
    body = f"refused: {reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
