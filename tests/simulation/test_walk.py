"""A scenario in steps: the same rows as in one run, and money that is moved in and out between them.

Expected numbers are worked out by hand, their arithmetic beside them. What happens within a session belongs in the
other tests.
"""

import numpy as np
import plain_engine
import pytest
from support.generators import panel_of, random_case, rules_of
from support.portfolio_laws import assert_portfolio_laws
from support.simulation_laws import assert_laws
from support.walks import walked
from test_engines_agree import assert_results_agree

from pipelines.lab.home import open_home
from sd_core.metrics.money_weighted import money_weighted_return
from sd_core.metrics.returns import session_returns
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Every, Shortfall, Variant, resolve
from sd_core.simulation.walk import Walk

CASES = 5_000
CHUNKS = 10
HOLDER = {"variant": Variant.NO_RULE, "capital": 1_000.0}


@pytest.fixture(params=[plain_engine.simulate, walked], ids=["plain", "walk"])
def with_transfers(request):
    """Return one of the two engines that take transfers by session."""
    return request.param


def bytes_of(result):
    return [rows.tobytes() for rows in (result.ledger, result.daily, result.lots)]


def moves(result):
    """Return session, kind, amount and what was not moved of each transfer."""
    rows = result.ledger[np.isin(result.ledger["kind"], [Kind.TRANSFER_IN, Kind.TRANSFER_OUT])]
    return [tuple(row) for row in rows[["session", "kind", "amount", "skipped_quantity"]].tolist()]


# The same rows as in one run.


@pytest.mark.parametrize("seed", range(0, 3_000, 50))
def test_steps_without_transfers_book_the_bytes_of_one_run(seed):
    case = random_case(seed)
    (whole,) = simulate(case.panel, [case.rules])
    assert bytes_of(walked(case.panel, case.rules)) == bytes_of(whole)


@pytest.mark.parametrize("name", ["demo", "sweep", "vision", "buckets"])
def test_every_shipped_strategy_walks_as_it_runs(name):
    study = open_home(name).study
    assets = len(study.tickers)
    rng = np.random.default_rng(1)
    prices = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.015, (assets, 300)), axis=1))
    sessions = np.busday_offset("2015-01-02", np.arange(300), roll="forward")
    panel = panel_of(*prices.tolist(), sessions=sessions, rates=0.03)
    chosen = study.scenarios[:: max(1, len(study.scenarios) // 40)]
    rules = [resolve(study, scenario) for scenario in chosen]
    for whole, scenario in zip(simulate(panel, rules), rules, strict=True):
        assert bytes_of(walked(panel, scenario)) == bytes_of(whole)


def test_more_rows_than_a_buffer_holds_are_all_there():
    # Two rungs up and two down each day: some 30 000 rows of one asset.
    prices = [(100.0, 100.0, 100.0, 100.0)] + [(100.0, 122.0, 82.0, 100.0)] * 6_000
    panel = panel_of(prices)
    rules = rules_of(reserve=0.5, bracket=0.09)
    (whole,) = simulate(panel, [rules])
    assert len(whole.ledger) > 20_000
    assert bytes_of(walked(panel, rules)) == bytes_of(whole)


def test_sessions_between_two_steps_are_simulated_too():
    case = random_case(7)
    last = len(case.panel.sessions) - 1
    walk = Walk(case.panel, case.rules)
    walk.advance(3)
    walk.advance(last)
    assert bytes_of(walk.result()) == bytes_of(next(simulate(case.panel, [case.rules])))


def test_walk_that_ends_early_has_the_rows_of_a_run_that_stops_there():
    case = random_case(7)
    walk = Walk(case.panel, case.rules)
    walk.advance(5)
    (whole,) = simulate(case.panel, [case.rules], stop=6)
    assert bytes_of(walk.result()) == bytes_of(whole)


# Both engines.


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_engines_agree_on_random_cases_with_transfers_and_keep_the_laws(chunk):
    cases = {seed: random_case(seed) for seed in range(chunk * CASES // CHUNKS, (chunk + 1) * CASES // CHUNKS)}
    with_some = {seed: case for seed, case in cases.items() if case.transfers}
    assert len(with_some) >= 25
    for seed, case in with_some.items():
        try:
            compiled = walked(case.panel, case.rules, case.transfers)
            assert_results_agree(compiled, plain_engine.simulate(case.panel, case.rules, case.transfers))
            assert_laws(case.panel, case.rules, compiled)
            assert_portfolio_laws(case.panel, case.rules, compiled)
        except AssertionError as difference:
            difference.add_note(f"random_case({seed}): {case.rules}, {case.transfers}")
            raise


def test_transfer_in_is_divided_as_the_capital_was(with_transfers):
    rules = rules_of(weights=[0.6, 0.4], reserve=0.25, **HOLDER)
    result = with_transfers(panel_of([100.0, 125.0], [50.0, 40.0]), rules, {1: 100.0})

    # A quarter stays in the bank; of the other 75, 60 % and 40 % are invested.
    came, *bought = result.ledger[2:]
    assert (came["kind"], came["leg"], came["asset"], came["amount"]) == (Kind.TRANSFER_IN, -1, -1, 100.0)
    assert [row["kind"] for row in bought] == [Kind.DEPOSIT_BUY] * 2
    assert [row["amount"] for row in bought] == pytest.approx([-45.0, -30.0], rel=1e-12)
    assert result.daily["bank"].tolist() == [250.0, 275.0]
    assert result.daily["deposits"].tolist() == [0.0, 100.0]


def test_transfer_in_that_is_not_to_be_invested_stays_in_the_bank(with_transfers):
    result = with_transfers(panel_of([100.0] * 3), rules_of(deposit_invest=False, **HOLDER), {1: 70.0})
    assert result.daily["bank"].tolist() == [0.0, 70.0, 70.0]


def test_transfer_out_takes_what_the_bank_holds_and_sells_nothing(with_transfers):
    # Of a bank of 300, 250 go out; of the 50 that are left, 100 ask for more, and then there is nothing.
    rules = rules_of(reserve=0.3, **HOLDER)
    result = with_transfers(panel_of([100.0] * 5), rules, {1: -250.0, 2: -100.0, 3: -10.0})

    whole, cut = moves(result)
    assert whole[:3] == (1, Kind.TRANSFER_OUT, -250.0)
    assert np.isnan(whole[3])
    assert cut == (2, Kind.TRANSFER_OUT, -50.0, 50.0)
    assert result.daily["bank"].tolist() == [300.0, 50.0, 0.0, 0.0, 0.0]
    assert result.daily["invested"].tolist() == [700.0] * 5
    assert result.daily["deposits"].tolist() == [0.0, -250.0, -50.0, 0.0, 0.0]


def test_transfer_out_takes_the_dividend_and_the_deposit_of_its_session(with_transfers):
    # 10 shares pay 2 each, and the deposit of the month is 40. 25 go out; what comes in on balance, 15, is invested.
    panel = panel_of(
        [100.0, 100.0],
        sessions=np.array(["2021-01-29", "2021-02-01"], "M8[D]"),
        dividends=np.array([[0.0], [2.0]]),
    )
    rules = rules_of(deposit=40.0, deposit_every=Every.MONTH, **HOLDER)
    result = with_transfers(panel, rules, {1: -25.0})

    assert result.ledger[["kind", "amount"]].tolist()[1:] == [
        (Kind.DIVIDEND, 20.0),
        (Kind.DEPOSIT, 40.0),
        (Kind.TRANSFER_OUT, -25.0),
        (Kind.DEPOSIT_BUY, -15.0),
    ]
    assert result.daily["deposits"][1] == 15.0


def test_bank_on_credit_gives_nothing(with_transfers):
    # 10 shares at 100 and no bank: a fall to 80 buys a fifth of them on credit.
    rules = rules_of(bracket=0.25, profit_share=0.8, capital=1_000.0, margin_limit=0.5, deposit_invest=False)
    result = with_transfers(panel_of([100.0, 80.0, 80.0]), rules, {2: -5.0})
    assert moves(result) == []
    assert result.daily["bank"].tolist() == [0.0, -160.0, -160.0]


def test_returns_know_transfers_as_money_that_was_moved(with_transfers):
    # A price that grows by a tenth each session, half of the capital in it: 1 000 → 1 050, whether money comes or goes.
    sessions = np.array(["2021-01-01", "2022-01-01", "2023-01-01"], "M8[D]")
    panel = panel_of([100.0, 110.0, 121.0], sessions=sessions)
    rules = rules_of(reserve=0.5, deposit_invest=False, **HOLDER)
    result = with_transfers(panel, rules, {1: 500.0, 2: -1_000.0})

    # 500 → 550 → 605 in shares; bank 500, 1 000, 0.
    assert result.daily["value"].tolist() == pytest.approx([1_000.0, 1_550.0, 605.0], rel=1e-12)
    # (1 550 - 0)/(1 000 + 500) - 1 and 605/(1 550 - 1 000) - 1.
    assert session_returns(result.daily, 1_000.0) == pytest.approx([0.0, 1 / 30, 0.1], rel=1e-12)
    # -1 000 - 500/x + 1 000/x² + 605/x² = 0 with x = 1 + rate: 1 000 x² + 500 x - 1 605 = 0.
    rate = (-500 + np.sqrt(500**2 + 4 * 1_000 * 1_605)) / 2_000 - 1
    assert money_weighted_return(result.daily, sessions, 1_000.0).rate == pytest.approx(rate, rel=1e-9)


# The steps.


def test_walk_says_what_it_is_worth_after_each_step():
    walk = Walk(panel_of([100.0, 110.0, 121.0]), rules_of(reserve=0.5, deposit_invest=False, **HOLDER))
    assert (walk.session, walk.value, walk.bank, walk.free_cash) == (-1, 1_000.0, 1_000.0, 1_000.0)
    walk.advance(0)
    assert (walk.session, walk.value, walk.bank) == (0, 1_000.0, 500.0)
    assert walk.advance(1, 50.0) == 50.0
    assert (walk.session, walk.value, walk.free_cash) == (1, pytest.approx(1_100.0), 550.0)
    assert walk.advance(2, -600.0) == -550.0
    assert (walk.session, walk.value, walk.free_cash) == (2, pytest.approx(605.0), 0.0)


def test_walk_says_what_its_last_session_paid_out():
    # Of 30 due each month the bank of 50 holds one whole and 20 of the other.
    panel = panel_of([100.0] * 3, sessions=(np.datetime64("2021-01") + np.arange(3)).astype("datetime64[D]"))
    due = {"withdrawal": 30.0, "withdrawal_every": Every.MONTH, "shortfall": Shortfall.NONE}
    walk = Walk(panel, rules_of(reserve=0.05, **due, **HOLDER))
    paid = [walk.withdrawn]
    for session in range(3):
        walk.advance(session)
        paid.append(walk.withdrawn)
    assert paid == [0.0, 0.0, 30.0, 20.0]


def test_cash_that_could_go_out_is_nothing_on_credit():
    rules = rules_of(bracket=0.25, profit_share=0.8, capital=1_000.0, margin_limit=0.5)
    walk = Walk(panel_of([100.0, 80.0]), rules)
    walk.advance(1)
    assert (walk.bank, walk.free_cash) == (-160.0, 0.0)
    assert walk.result().daily["bank"][-1] == -160.0


@pytest.mark.parametrize(
    ("session", "flow", "expected"),
    [
        (1, 0.0, "session: expected 2 to 3, was 1"),
        (4, 0.0, "session: expected 2 to 3, was 4"),
        (2, float("nan"), "flow: expected a finite sum of money, and none on the first session, was nan"),
    ],
)
def test_step_that_cannot_be_taken_is_refused(session, flow, expected):
    walk = Walk(panel_of([100.0] * 4), rules_of())
    walk.advance(1)
    with pytest.raises(ValueError, match=expected):
        walk.advance(session, flow)


def test_nothing_comes_or_goes_on_the_first_session():
    with pytest.raises(ValueError, match="none on the first session"):
        Walk(panel_of([100.0] * 4), rules_of()).advance(0, 5.0)


def test_walk_whose_result_was_taken_has_ended():
    walk = Walk(panel_of([100.0] * 4), rules_of())
    with pytest.raises(ValueError, match="expected at least one session behind it"):
        walk.result()
    walk.advance(1)
    assert walk.result() is walk.result()
    with pytest.raises(ValueError, match="expected one that goes on"):
        walk.advance(2)
