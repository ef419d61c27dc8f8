"""An account at Alpaca, for trading on paper, through alpaca-py (the extra ``alpaca``).

Keys come from the environment, ``ALPACA_API_KEY`` and ``ALPACA_SECRET_KEY``, and are neither printed nor stored. How an
order is sent so that it arrives once belongs in ``sending``, how the account is read in ``reading``.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException

from sd_core.broker.protocol import (
    Account,
    Activity,
    Kind,
    Order,
    OrderState,
    OrderType,
    RefusedError,
    Status,
    ThrottledError,
    UnreachableError,
)
from sd_core.errors import InputError

KEYS = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")
# Alpaca dates what moves an account by the time of its exchanges.
NEW_YORK = ZoneInfo("America/New_York")
# Seconds until a request without an answer is given up, as the library itself waits for ever.
PATIENCE = 10
PAGE = 100
SHARE, MONEY = Decimal("1e-9"), Decimal("1e-4")
NOT_UNIQUE = "client_order_id must be unique"

# Types of activities that are money alone, by what they are here; any that is not named is for a person to read.
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("DIV", "DIVCGL", "DIVCGS", "DIVROC", "DIVTXEX"), "dividend"),
    # Taxes of dividends.
    **dict.fromkeys(("DIVNRA", "DIVFT", "DIVTW", "DIVWH", "WH"), "dividend"),
    **dict.fromkeys(("INT", "INTNRA", "INTTW"), "interest"),
    **dict.fromkeys(("FEE", "CFEE", "DIVFEE", "PTC"), "fee"),
}
# Money that the owner pays in or out, by its sign.
PAID = {"CSD", "CSW", "CSR", "JNLC", "TRANS"}
STATUSES: dict[str, Status] = {
    "partially_filled": "partial",
    "filled": "filled",
    "canceled": "cancelled",
    "replaced": "cancelled",
    "expired": "expired",
    "rejected": "refused",
}
ENDED = {"filled", "cancelled", "expired", "refused"}


class _Patient(HTTPAdapter):
    """What sends requests, and gives up in time."""

    def send(self, request: PreparedRequest, *args: Any, **how: Any) -> Response:
        return super().send(request, *args, **{**how, "timeout": PATIENCE})


class Alpaca:
    """One account for trading on paper.

    Args:
        environment: where the keys are.
        url: of another server than Alpaca's own.

    Raises:
        InputError: a key or the library is missing.
    """

    def __init__(self, environment: Mapping[str, str], url: str | None = None) -> None:
        try:
            from alpaca.common.exceptions import APIError
            from alpaca.trading.client import TradingClient
        except ModuleNotFoundError:
            raise InputError("broker alpaca: expected its library: pip install 'sdlab[alpaca]'") from None
        if missing := [name for name in KEYS if not environment.get(name)]:
            raise InputError(f"broker alpaca: expected {' and '.join(missing)} in the environment")
        key, secret = (environment[name] for name in KEYS)
        self._error = APIError
        self._client = TradingClient(key, secret, paper=True, raw_data=True, url_override=url)
        for scheme in ("http://", "https://"):
            self._client._session.mount(scheme, _Patient())  # noqa: SLF001  the library has no other way
        self._client_ids: dict[str, str] = {}

    def account(self) -> Account:
        """Return what the account has now."""
        stated, positions = self._ask("get", "/account"), self._ask("get", "/positions")
        cash = {stated["currency"]: _money(stated["cash"])}
        shares = {one["symbol"]: Decimal(one["qty"]).quantize(SHARE) for one in positions}
        costs = {one["symbol"]: _money(one["cost_basis"]) for one in positions}
        now = dt.datetime.now(dt.UTC)
        return Account(now, {code: has for code, has in cash.items() if has}, shares, costs, stated["currency"])

    def activities(self, after: dt.datetime) -> list[Activity]:
        """Return what moved the account after a moment."""
        return [activity for stated in self._pages(after) for activity in self._activity(stated) if activity.at > after]

    def submit(self, order: Order) -> OrderState:
        """Send an order.

        The library repeats a request that got no answer in time. Where Alpaca then says that the id was used before,
        and knows an order like this under it, it had accepted the first.

        Raises:
            RefusedError: it is not accepted.
        """
        try:
            return _state(self._ask("post", "/orders", _fields(order)))
        except RefusedError as error:
            found = self.order(order.client_id) if NOT_UNIQUE in str(error) else None
            if found is None or not _is_same(found.order, order):
                raise
            return found

    def order(self, client_id: str) -> OrderState | None:
        """Return an order; None where none of this id is known."""
        stated = self._find(client_id)
        return None if stated is None else _state(stated)

    def open_orders(self) -> list[OrderState]:
        """Return the orders that may still trade; the legs of one count as that one."""
        listed = self._ask("get", "/orders", {"status": "open", "nested": "true", "limit": 500})
        return [_state(one) for one in listed]

    def cancel(self, client_id: str) -> OrderState:
        """End an order; what is under way may still be executed.

        Raises:
            RefusedError: there is no open order of this id.
        """
        stated = self._find(client_id)
        if stated is None:
            raise RefusedError(f"cancel {client_id}: expected an open order, is unknown")
        self._ask("delete", f"/orders/{stated['id']}")
        return self.order(client_id) or _state(stated)

    def _find(self, client_id: str) -> dict[str, Any] | None:
        """Return an order with its legs, as Alpaca states it; None where it knows none."""
        try:
            found = self._ask("get", "/orders:by_client_order_id", {"client_order_id": client_id})
            # Only by its own id does Alpaca state legs.
            nested: dict[str, Any] = self._ask("get", f"/orders/{found['id']}", {"nested": "true"})
        except _UnknownError:
            return None
        return nested

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Make one request and return its answer.

        Raises:
            UnreachableError: none came, or none that can be read.
            ThrottledError: there were too many.
            RefusedError: Alpaca refuses it.
        """
        place = f"{method} {path}"
        try:
            return getattr(self._client, method)(path, content)
        except self._error as error:
            raise _failure(place, error.status_code, str(error)) from None
        except (RequestException, ValueError) as error:
            # Its text may hold the address, and no key.
            raise UnreachableError(f"{place}: {type(error).__name__}: {error}") from None

    def _pages(self, after: dt.datetime) -> Iterator[dict[str, Any]]:
        """Yield activities, page by page, the oldest first."""
        # Activities with a date alone are listed by it.
        asked = {"after": (after - dt.timedelta(days=1)).date().isoformat(), "direction": "asc", "page_size": PAGE}
        while True:
            page = self._ask("get", "/account/activities", asked)
            yield from page
            if len(page) < PAGE:
                return
            asked["page_token"] = page[-1]["id"]

    def _activity(self, stated: Mapping[str, Any]) -> Iterator[Activity]:
        """Yield what an activity is here; nothing for one that was called off."""
        kind = stated["activity_type"]
        if kind == "FILL":
            yield self._fill(stated)
        elif stated.get("status", "executed") != "canceled":
            day = dt.date.fromisoformat(stated["date"][:10])
            # A date alone is its end: what it states may have been known only then.
            at = dt.datetime.combine(day, dt.time.max, NEW_YORK)
            amount, unit = _money(stated.get("net_amount") or "0"), stated.get("symbol") or None
            code = stated.get("currency") or "USD"
            known: Kind = ("deposit" if amount > 0 else "withdrawal") if kind in PAID else KINDS.get(kind, "other")
            shares = Decimal(stated.get("qty") or "0").quantize(SHARE)
            legs = {code: amount} if amount else {}
            if known == "other" and unit and shares:
                legs[unit] = shares
            says = " ".join(filter(None, (kind, unit, stated.get("description"))))
            yield Activity(stated["id"], known, at, legs, day, unit, says=says)

    def _fill(self, stated: Mapping[str, Any]) -> Activity:
        at = dt.datetime.fromisoformat(stated["transaction_time"])
        quantity, price = Decimal(stated["qty"]).quantize(SHARE), Decimal(stated["price"])
        sign = 1 if stated["side"] == "buy" else -1
        legs = {stated["symbol"]: sign * quantity, "USD": -sign * _money(quantity * price)}
        order, day = self._client_id(stated["order_id"]), at.astimezone(NEW_YORK).date()
        return Activity(stated["id"], "fill", at, legs, day, stated["symbol"], order=order)

    def _client_id(self, order_id: str) -> str | None:
        """Return the client id of an order; of a leg, that of the order that has it."""
        if order_id not in self._client_ids:
            try:
                found = self._ask("get", f"/orders/{order_id}")
            except _UnknownError:
                return None
            day = dt.datetime.fromisoformat(found["created_at"]) - dt.timedelta(days=1)
            asked = {"status": "all", "nested": "true", "symbols": found["symbol"], "after": day.isoformat()}
            self._client_ids[order_id] = found["client_order_id"]
            for order in self._ask("get", "/orders", {**asked, "direction": "asc", "limit": 500}):
                for leg in order.get("legs") or ():
                    self._client_ids[leg["id"]] = order["client_order_id"]
        return self._client_ids[order_id]


class _UnknownError(RefusedError):
    """Alpaca knows no such thing."""


def _failure(place: str, status: int | None, said: str) -> Exception:
    """Return what an answer other than success is."""
    try:
        content = json.loads(said)
        message = str(content["message"]) if isinstance(content, dict) else said
    except (ValueError, KeyError):
        message = said[:200]
    if status == 429:
        return ThrottledError(f"{place}: {message}")
    if status is None or status >= 500:
        return UnreachableError(f"{place}: {status}: {message}")
    return (_UnknownError if status == 404 else RefusedError)(f"{place}: {message}")


def _money(text: Any) -> Decimal:
    return Decimal(text).quantize(MONEY)


def _fields(order: Order) -> dict[str, Any]:
    """Return an order as Alpaca takes it: numbers as text, so that no digit is lost."""
    fields: dict[str, Any] = {
        "symbol": order.unit,
        "qty": f"{order.quantity.normalize():f}",
        "side": order.side,
        "type": "limit" if order.type == "oco" else order.type,
        "time_in_force": order.time_in_force,
        "client_order_id": order.client_id,
    }
    if order.type == "oco":
        legs = {"take_profit": {"limit_price": f"{order.limit_price:f}"}}
        return {**fields, "order_class": "oco", **legs, "stop_loss": {"stop_price": f"{order.stop_price:f}"}}
    if order.limit_price is not None:
        fields["limit_price"] = f"{order.limit_price:f}"
    if order.stop_price is not None:
        fields["stop_price"] = f"{order.stop_price:f}"
    return fields


def _state(stated: Mapping[str, Any]) -> OrderState:
    """Return an order as it is, with what its legs were filled."""
    legs = stated.get("legs") or []
    quantity = Decimal(stated["qty"]).quantize(SHARE)
    filled = sum((Decimal(one.get("filled_qty") or "0").quantize(SHARE) for one in (stated, *legs)), Decimal(0))
    statuses = [STATUSES.get(one["status"], "open") for one in (stated, *legs)]
    status: Status = "partial" if filled else "open"
    if filled >= quantity:
        status = "filled"
    elif all(one in ENDED for one in statuses):
        status = statuses[0]
    limit, stop = (_price(name, stated, *legs) for name in ("limit_price", "stop_price"))
    kind: OrderType = "oco" if stated.get("order_class") == "oco" else stated["type"]
    client_id, unit, side, until = (stated[name] for name in ("client_order_id", "symbol", "side", "time_in_force"))
    return OrderState(Order(client_id, unit, side, quantity, kind, limit, stop, until), status, filled)


def _price(name: str, *stated: Mapping[str, Any]) -> Decimal | None:
    """Return a price of an order or of its legs."""
    return next((Decimal(one[name]) for one in stated if one.get(name) is not None), None)


def _is_same(found: Order, asked: Order) -> bool:
    """Return whether two orders of one id trade the same."""
    return all(getattr(found, name) == getattr(asked, name) for name in ("unit", "side", "quantity", "type"))
