"""The audit recomputes levels and factors of satellites in SQL: on random states it agrees with the rules."""

import datetime as dt
from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from support.lake_tables import SQL

from pipelines.warehouse.models import read_macros
from sd_core.buckets import rules
from sd_core.schemas import TABLES
from sd_core.schemas.kinds import Regime, Signal, Status

LAW = (SQL / "audit" / "bucket_factor_follows_its_rules.sql").read_text(encoding="utf-8")
SESSIONS = 3_000
FIRST = dt.date(2000, 1, 1)
# At each bound and a hair's breadth, a rounding and a little beside it.
BOUNDS = np.array([0.0, 0.02, 0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.25, 0.35, 1.0])
BESIDE = np.array([-1e-6, -1e-13, 0.0, 1e-13, 1e-6])
SETTINGS = [
    (f"{signal.name.lower()}_{follows}_{pauses}", signal, follows, pauses)
    for signal in Signal
    for follows in (False, True)
    for pauses in (False, True)
]


def day_rows(name: str, signal: Signal, follows: bool, pauses: bool, regimes: list[Regime]) -> list[dict[str, object]]:
    """Return random days of a satellite, with what the rules make of each."""
    draws = np.random.default_rng([signal, follows, pauses])
    rows = []
    for t, regime in enumerate(regimes):
        share, drawdown = draws.choice(BOUNDS, 2) + draws.choice(BESIDE, 2)
        target, min_pct = float(draws.choice([0.05, 0.10])), 0.02
        status = Status.ACTIVE if draws.random() < 0.8 else Status(draws.choice([1, 3, 4]))
        cash = float(draws.choice([-1.0, -1e-7, 0.0, 50.0], p=[0.1, 0.1, 0.4, 0.4]))
        lock, cooldown = (
            int(ends) if draws.random() < 0.3 else rules.NEVER for ends in draws.integers(t - 2, t + 3, 2)
        )
        stage = int(draws.integers(0, 4))
        levels = rules.level_by_share(share, target, rules.floor_of(target, min_pct)), rules.level_by_drawdown(drawdown)
        of_regime = rules.regime_factor(signal, regime) if follows else 1.0
        hindered = rules.hindrances(False, False, status, cash, rules.is_in_force(lock, t), regime, pauses)
        is_cooling = rules.is_in_force(cooldown, t)
        factor, _ = rules.factor_of(hindered, *levels, is_cooling, stage, False, of_regime, rules.is_testing(lock, t))
        rows.append(
            {
                "book": "p",
                "bucket": name,
                "session": FIRST + dt.timedelta(days=t),
                "cash": cash,
                "drawdown": drawdown,
                "share": share,
                "target": target,
                "status": status.name.lower(),
                "share_level": levels[0],
                "drawdown_level": levels[1],
                "cooldown": 0.75 if is_cooling else 1.0,
                "reawakening": rules.stage_factor(stage),
                "regime_factor": of_regime,
                "factor": factor,
                "stage": stage,
                "locked_until": None if lock == rules.NEVER else FIRST + dt.timedelta(days=lock),
                "cooldown_until": None if cooldown == rules.NEVER else FIRST + dt.timedelta(days=cooldown),
            }
        )
    return rows


@pytest.fixture(scope="module")
def judged() -> duckdb.DuckDBPyConnection:
    """Return a warehouse with random days of satellites of every signal."""
    draws = np.random.default_rng(3)
    regimes = [Regime(number) for number in draws.integers(0, 5, SESSIONS)]
    days = [row for name, *settings in SETTINGS for row in day_rows(name, *settings, regimes)]
    buckets = [
        {
            "plan": "p",
            "position": position,
            "bucket": name,
            "min_pct": 0.02,
            "signal": signal.name.lower(),
            "toggle_regime": follows,
            "toggle_high_volatility": pauses,
        }
        for position, (name, signal, follows, pauses) in enumerate(SETTINGS, start=1)
    ]
    market = [
        {"session": FIRST + dt.timedelta(days=t), "regime": None if regime == Regime.UNKNOWN else regime.name.lower()}
        for t, regime in enumerate(regimes)
    ]
    con = duckdb.connect()
    con.execute(read_macros(SQL))
    for name, rows in (("bucket_daily", days), ("study_bucket", buckets), ("market_regime", market)):
        con.register("arriving", pa.Table.from_pylist(rows, TABLES[name].arrow_schema))
        con.execute(f"create table {name} as from arriving")
        con.unregister("arriving")
    return con


@pytest.fixture
def changeable(judged: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    judged.begin()
    yield judged
    judged.rollback()


def test_the_audit_agrees_with_the_rules(judged):
    assert judged.sql("select count(*), count(distinct factor) > 20 from bucket_daily").fetchall() == [(48_000, True)]
    assert judged.execute(LAW).fetchall() == []


@pytest.mark.parametrize(
    "change",
    [
        "share_level = case when share_level = 0.4 then 0.6 else 0.4 end",
        "drawdown_level = case when drawdown_level = 0.3 then 0.7 else 0.3 end",
        "cooldown = 1.75 - cooldown",
        "reawakening = 1.25 - reawakening",
        "regime_factor = 1.25 - regime_factor",
        "factor = factor + 1e-6",
        "factor = null",
    ],
)
def test_a_number_that_no_rule_gives_is_found(changeable, change):
    changeable.execute(f"update bucket_daily set {change}")
    assert len(changeable.execute(LAW).fetchall()) == 48_000


@pytest.mark.parametrize(
    "change",
    ["status = 'paused'", "cash = -1", "locked_until = session + 1", "drawdown = 0.35", "share = 0.0199"],
)
def test_a_factor_above_nothing_is_found_where_there_must_be_none(changeable, change):
    (above,) = changeable.execute("select count(*) from bucket_daily where factor > 0").fetchone()
    changeable.execute(f"update bucket_daily set {change} where factor > 0")
    assert len(changeable.execute(LAW).fetchall()) == above > 1_000
