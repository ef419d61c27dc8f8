"""The comparison of triggers over the small study of ``lake_tables``, with what its portfolio rules trade made up."""

import duckdb
import pytest
from support.lake_tables import SESSIONS, add_scenario, build_only, insert, strategy

TRADED = ("rebalancing_trades", "deploy_buys", "profit_sells", "rebalancing_fees")


def rows(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, float], dict[str, object]]:
    """Return the comparison by strategy and reserve."""
    found = con.sql("from report_rebalancing").to_arrow_table().to_pylist()
    return {(row["strategy"], row["reserve"]): row for row in found}


def trade(seq: int, kind: str, quantity: float, price: float, fee: float) -> dict[str, object]:
    """Return a trade of sd8 at the last close; skipped ones have a quantity of 0 and trade nothing."""
    place = {"strategy": "sd8", "reserve": 0.1, "seq": seq, "session": SESSIONS[2], "leg": 4, "ticker": "AAA"}
    size = {"quantity": quantity} if quantity else {"skipped_quantity": 1.0}
    return {**place, "kind": kind, **size, "price": price, "fee": fee, "amount": -quantity * price - fee}


@pytest.fixture
def rebalancing(small: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The small study, in which sd8 returns to its targets each quarter and by deviation, deploys and takes profit."""
    small.execute("""
        update lake.study_strategy set rebalance_every = 'quarter', rebalance_deviation_width = 0.2,
            rebalance_deviation_kind = 'relative', rebalance_volatility_level = 0.3, rebalance_volatility_window = 63,
            rebalance_patience_sessions = 5, rebalance_patience_mean = 21, rule_cash_low = 0.05, cash_high = 0.2,
            drift = 0.4
        where strategy = 'sd8'
    """)
    insert(
        small,
        "simulation_ledger",
        trade(101, "REBALANCE_SELL", -2.0, 90.0, 0.3),
        trade(102, "REBALANCE_BUY", 6.0, 25.0, 0.2),
        trade(103, "REBALANCE_BUY", 1.0, 25.0, 0.1),
        trade(104, "PROFIT_SELL", -1.0, 90.0, 0.4),
        trade(105, "DEPLOY_BUY", 2.0, 25.0, 0.05),
        trade(106, "SKIP_SELL", 0.0, 90.0, 0.0),
    )
    return small


def test_trigger_is_recorded_as_the_study_has_it(rebalancing):
    build_only(rebalancing, "report_rebalancing")
    found = rows(rebalancing)["sd8", 0.1]
    expected = {
        "rule_variant": "full",
        "rebalance_every": "quarter",
        "rebalance_deviation_width": 0.2,
        "rebalance_deviation_kind": "relative",
        "rebalance_volatility_level": 0.3,
        "rebalance_volatility_window": 63,
        "rebalance_on_change": None,
        "rebalance_patience_sessions": 5,
        "rebalance_patience_mean": 21,
        "band_width": None,
        "band_kind": None,
        "band_edges": None,
        "rule_cash_low": 0.05,
        "cash_high": 0.2,
        "drift": 0.4,
        "premium_spread": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_trades_of_portfolio_rules_are_counted_by_kind_with_their_fees(rebalancing):
    build_only(rebalancing, "report_rebalancing")
    found = rows(rebalancing)["sd8", 0.1]
    assert [found[name] for name in TRADED] == [3, 1, 1, pytest.approx(0.3 + 0.2 + 0.1 + 0.4 + 0.05)]
    # The rule bought and sold a share besides; it and the two first purchases paid 1 each.
    assert (found["trades"], found["fees"]) == (7, pytest.approx(4 + 1.05))


def test_turnover_is_half_of_all_trades_over_the_mean_value_per_year(rebalancing):
    build_only(rebalancing, "report_rebalancing")
    traded = 108 + 95 + 2 * 90 + 6 * 25 + 25 + 90 + 2 * 25
    mean_value = (998 + 1045.5 + 1069.5) / 3
    assert rows(rebalancing)["sd8", 0.1]["turnover"] == pytest.approx(traded / 2 / mean_value * 365.25 / 2, rel=1e-12)


def test_outcome_is_that_of_report_strategy(rebalancing):
    build_only(rebalancing, "report_rebalancing", "report_strategy")
    names = "twr, cagr, volatility, sharpe, max_drawdown, excess_over_same_reserve"
    key = "where strategy = 'sd8' and reserve = 0.1"
    [found] = rebalancing.execute(f"select {names} from report_rebalancing {key}").fetchall()
    assert [found] == rebalancing.execute(f"select {names} from report_strategy {key}").fetchall()
    # 1000 became 1069.5, and 1045 where a tenth was held back and the rest held.
    assert (found[0], found[-1]) == pytest.approx((0.0695, 0.0245), rel=1e-10)


def test_strategies_that_only_buy_and_hold_are_left_out(rebalancing):
    build_only(rebalancing, "report_rebalancing")
    assert list(rows(rebalancing)) == [("sd8", 0.1)]


def test_strategy_whose_triggers_never_held_traded_nothing(rebalancing):
    # With a first purchase in the ledger, and with nothing at all.
    rebalancing.execute("update lake.study_strategy set drift = 9 where strategy = 'buy_and_hold'")
    first = {"session": SESSIONS[0], "leg": 4, "ticker": "AAA", "kind": "INITIAL_BUY", "quantity": 10.0, "price": 100.0}
    booking = {"strategy": "buy_and_hold", "reserve": 0.0, "seq": 1, "fee": 2.0, "amount": -1002.0}
    insert(rebalancing, "simulation_ledger", {**booking, **first})
    build_only(rebalancing, "report_rebalancing")
    found = rows(rebalancing)
    for reserve in (0.0, 0.1):
        idle = found["buy_and_hold", reserve]
        assert [idle[name] for name in (*TRADED, "trades", "turnover")] == [0] * 6
        assert idle["excess_over_same_reserve"] == 0


@pytest.mark.parametrize(
    ("trigger", "rebalances"),
    [
        ("rule_variant = null, rebalance_every = 'year'", True),
        ("rebalance_deviation_width = 0.1, rebalance_deviation_kind = 'absolute'", True),
        ("rebalance_volatility_level = 0.3, rebalance_volatility_window = 21", True),
        ("rebalance_on_change = true, allocation_schedule = '{}'", True),
        ("band_width = 0.05, band_kind = 'absolute'", True),
        ("band_edges = '{\"AAA\": [0.4, 0.6]}'", True),
        ("cash_high = 0.0", True),
        ("drift = 0.4", True),
        ("premium_spread = 0.15", True),
        ("rule_cash_low = 0.05", False),
        ("rebalance_on_change = false, allocation_schedule = '{}'", False),
        ("allocation_weights = '{\"AAA\": 1}'", False),
        ("rule_order = 'nav_opportunistic'", False),
    ],
)
def test_strategy_is_compared_where_something_makes_it_rebalance(small, trigger, rebalances):
    small.execute(f"update lake.study_strategy set {trigger} where strategy = 'sd8'")
    build_only(small, "report_rebalancing")
    assert (("sd8", 0.1) in rows(small)) == rebalances


def test_band_of_assets_without_edges_is_beside_the_edges_of_the_others(small):
    small.execute("""
        update lake.study_strategy
        set band_edges = '{"AAA": [0.4, 0.6]}', band_default_width = 0.05, band_default_kind = 'relative'
        where strategy = 'sd8'
    """)
    build_only(small, "report_rebalancing")
    found = rows(small)["sd8", 0.1]
    assert [found[name] for name in ("band_width", "band_kind", "band_edges")] == [
        0.05,
        "relative",
        '{"AAA": [0.4, 0.6]}',
    ]


@pytest.mark.parametrize("keep", ["daily", "metrics"])
def test_what_was_traded_is_unknown_where_no_ledger_was_kept(small, keep):
    insert(small, "study_strategy", {**strategy(3, "banded", "full"), "keep": keep, "band_width": 0.1})
    add_scenario(small, "banded", 0.1, bank=(100.0,) * 3, value=(1000.0, 1080.0, 1060.0))
    small.execute("update lake.simulation_partition set keep = ? where strategy = 'banded'", [keep])
    if keep == "metrics":
        small.execute("delete from lake.simulation_daily where strategy = 'banded'")
    # Its metrics, computed while the ledger was there.
    kept_metrics = {"first_session": SESSIONS[0], "last_session": SESSIONS[2], "twr": 0.06, "trades": 9, "fees": 4.5}
    insert(small, "simulation_metrics", {"strategy": "banded", "reserve": 0.1, **kept_metrics})
    build_only(small, "report_rebalancing")
    found = rows(small)["banded", 0.1]
    assert [found[name] for name in (*TRADED, "turnover")] == [None] * 5
    assert (found["trades"], found["fees"]) == (9, 4.5)
    assert (found["twr"], found["excess_over_same_reserve"]) == pytest.approx((0.06, 0.015), rel=1e-10)


def test_outdated_scenario_is_not_compared(rebalancing):
    rebalancing.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(rebalancing, "report_rebalancing")
    assert rows(rebalancing) == {}
