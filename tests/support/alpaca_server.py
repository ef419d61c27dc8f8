"""A server on the loopback that answers as Alpaca's API for trading does: accounts, positions, orders and activities.

Shapes and texts are those of Alpaca's reference (docs.alpaca.markets, Trading API v2). What goes wrong is queued in
``failures``: an HTTP status instead of the next answer to a method and path, ``after`` it was carried out or before.
"""

import contextlib
import json
import threading
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ENDED = {"filled", "canceled", "expired", "rejected"}


@dataclass
class Failure:
    """An answer other than it should be: to what, its status, and whether the request was carried out all the same."""

    method: str
    path: str
    status: int
    after: bool = False


@dataclass
class Exchange:
    """The state behind the server."""

    cash: str = "1000"
    positions: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    keys: set[tuple[str | None, str | None]] = field(default_factory=set)
    is_hanging: threading.Event = field(default_factory=threading.Event)

    def answer(self, method: str, path: str, content: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((method, path, content))
        failure = next((one for one in self.failures if (one.method, one.path) == (method, path)), None)
        if failure is not None:
            self.failures.remove(failure)
            if not failure.after:
                return failure.status, {"code": failure.status * 100_000, "message": "failed"}
        answered = self.carry_out(method, path, content)
        return (failure.status, {"message": "failed"}) if failure else answered

    def carry_out(self, method: str, path: str, content: dict[str, Any]) -> tuple[int, Any]:
        answered: tuple[int, Any] = (404, {"code": 40410000, "message": "endpoint not found"})
        match method, path.split("/")[1:]:
            case "GET", ["account"]:
                answered = 200, {"currency": "USD", "cash": self.cash, "status": "ACTIVE"}
            case "GET", ["positions"]:
                answered = 200, self.positions
            case "GET", ["account", "activities"]:
                answered = 200, self.page(content)
            case "POST", ["orders"]:
                answered = self.accept(content)
            case "GET", ["orders"]:
                open_ones = [one for one in self.orders if one["status"] not in ENDED]
                answered = 200, open_ones if content.get("status") == "open" else self.orders
            case "GET", ["orders:by_client_order_id"]:
                answered = self.found("client_order_id", content["client_order_id"])
            case "GET", ["orders", order_id]:
                answered = self.found("id", order_id)
            case "DELETE", ["orders", order_id]:
                answered = self.end(order_id)
        return answered

    def page(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a page: after a date, the oldest first, from the one after the token."""
        dated = [(one.get("date") or one["transaction_time"])[:10] for one in self.activities]
        listed = [one for one, day in zip(self.activities, dated, strict=True) if day >= content["after"]]
        ids = [one["id"] for one in listed]
        first = ids.index(content["page_token"]) + 1 if "page_token" in content else 0
        return listed[first : first + int(content["page_size"])]

    def found(self, name: str, value: str) -> tuple[int, Any]:
        every = [*self.orders, *(leg for order in self.orders for leg in order["legs"] or ())]
        found = next((one for one in every if one[name] == value), None)
        return (200, found) if found else (404, {"code": 40410000, "message": f"order not found for {value}"})

    def accept(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if any(one["client_order_id"] == asked["client_order_id"] for one in self.orders):
            return 422, {"code": 40010001, "message": "client_order_id must be unique"}
        is_fractional = Decimal(asked["qty"]) % 1 != 0
        if is_fractional and (asked["time_in_force"] != "day" or asked.get("order_class", "simple") != "simple"):
            return 422, {"code": 42210000, "message": "fractional orders must be DAY orders"}
        opposite = [one for one in self.orders if one["symbol"] == asked["symbol"] and one["side"] != asked["side"]]
        if any(one["status"] not in ENDED for one in opposite):
            message = "potential wash trade detected. use complex orders"
            return 403, {
                "code": 40310000,
                "message": message,
                "reject_reason": "opposite side market/stop order exists",
            }
        order = self.order(asked)
        self.orders.append(order)
        return 200, order

    def order(self, asked: dict[str, Any]) -> dict[str, Any]:
        made = {
            "id": str(uuid.uuid4()),
            "client_order_id": asked["client_order_id"],
            "created_at": "2026-03-02T14:00:00.123456Z",
            "symbol": asked["symbol"],
            "qty": asked["qty"],
            "filled_qty": "0",
            "order_class": asked.get("order_class", ""),
            "type": asked["type"],
            "side": asked["side"],
            "time_in_force": asked["time_in_force"],
            "limit_price": asked.get("limit_price"),
            "stop_price": asked.get("stop_price"),
            "status": "accepted",
            "legs": None,
        }
        if made["order_class"] == "oco":
            leg = made | {"id": str(uuid.uuid4()), "client_order_id": str(uuid.uuid4()), "type": "stop"}
            made["limit_price"] = asked["take_profit"]["limit_price"]
            made["legs"] = [leg | {"stop_price": asked["stop_loss"]["stop_price"], "status": "held"}]
        return made

    def end(self, order_id: str) -> tuple[int, Any]:
        status, found = self.found("id", order_id)
        if status != 200 or found["status"] in ENDED:
            return 422, {"code": 42210000, "message": f'order is already in "{found.get("status")}" state'}
        for one in (found, *(found["legs"] or ())):
            one["status"] = "canceled"
        return 204, None


def handler_of(exchange: Exchange) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests from an exchange's state."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            exchange.keys.add((self.headers.get("APCA-API-KEY-ID"), self.headers.get("APCA-API-SECRET-KEY")))
            url = urlsplit(self.path)
            content = {name: values[0] for name, values in parse_qs(url.query).items()}
            if length := int(self.headers.get("Content-Length") or 0):
                content = json.loads(self.rfile.read(length))
            if exchange.is_hanging.is_set():
                exchange.is_hanging.clear()
                threading.Event().wait(1)
            status, answer = exchange.answer(self.command, url.path.removeprefix("/v2"), content)
            body = b"" if answer is None else json.dumps(answer).encode()
            # Who gave up does not listen any more.
            with contextlib.suppress(BrokenPipeError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    return Handler


def served(exchange: Exchange) -> ThreadingHTTPServer:
    """Return a server of an exchange, which answers until it is shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(exchange))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
