"""A yfinance that reaches this machine only, and the server that it reaches there."""

import datetime as dt
import socket
from collections.abc import Callable, Iterator

import pytest
import yfinance.base
import yfinance.cache
from curl_cffi import requests as curl
from support.fake_yahoo import UTC, FakeYahoo
from yfinance.data import SingletonMeta

from sd_core.market.sources.yahoo import YahooSource

NEXT_WEEK = dt.datetime(2024, 6, 5, 12, tzinfo=UTC)
Open = Callable[..., YahooSource]


@pytest.fixture
def yahoo() -> Iterator[FakeYahoo]:
    server = FakeYahoo()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def fresh_yfinance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a yfinance that remembers nothing, on disk or in memory, and that reaches this machine only."""
    monkeypatch.setattr(SingletonMeta, "_instances", {})
    monkeypatch.setattr(yfinance.base, "_tz_info_fetch_ctr", 0)
    monkeypatch.setattr(yfinance.cache._TzCacheManager, "_tz_cache", yfinance.cache._TzCacheDummy())
    monkeypatch.setattr(yfinance.cache._CookieCacheManager, "_Cookie_cache", yfinance.cache._CookieCacheDummy())
    resolve = socket.getaddrinfo

    def local_only(host, *args, **kwargs):
        assert host == "127.0.0.1", f"a test asked for {host}"
        return resolve(host, *args, **kwargs)

    def refuse(*args, **kwargs):
        raise AssertionError("a test left the fake session")

    monkeypatch.setattr(socket, "getaddrinfo", local_only)
    monkeypatch.setattr(curl.Session, "request", refuse)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def open_yahoo(yahoo: FakeYahoo, waits: list[float]) -> Open:
    def build(now: dt.datetime = NEXT_WEEK) -> YahooSource:
        return YahooSource(yahoo.session(), sleep=waits.append, clock=lambda: now)

    return build
