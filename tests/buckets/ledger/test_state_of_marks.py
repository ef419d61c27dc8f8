"""What marks say of a satellite, worked by hand, and what people may do about it: rebase, unlock, evaluate, apply."""

import datetime as dt
import json
from decimal import Decimal

import pytest

from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.marked import MarketDay, at_last_mark
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.errors import InputError
from sd_core.schemas.kinds import Reason, Regime, Status

D = Decimal


@pytest.fixture
def hunter(either: Ledger, clock) -> Ledger:
    """Return an account of 100 000 with a satellite of 10 000 that has bought for all it has, marked once."""
    ledger = either
    ledger.deposit(D(100_000))
    ledger.set("live", {"budget": "0.3"})
    ledger.create(Satellite("hunter", "custom", ["NVDA"], D("0.10")))
    ledger.start("hunter", early="a test")
    ledger.transfer("core", "hunter", D(10_000))
    trade(ledger, clock.day, "buy", 100, "-10000")
    mark(ledger, clock, 0, "100")
    return ledger


def trade(ledger: Ledger, day: dt.date, ref: str, shares: int, money: str) -> None:
    ledger.record(Activity(ref, "fill", day, {"NVDA": D(shares), "USD": D(money)}))


def mark(ledger: Ledger, clock, days: int, price: str, **market: object) -> str:
    """Mark the session so many days later."""
    clock.day += dt.timedelta(days=days)
    return ledger.mark(clock.day, {"NVDA": D(price)}, market=MarketDay(**market)).text


def last(ledger: Ledger):
    with ledger.state() as state:
        return at_last_mark(state, "hunter")


def test_money_paid_in_does_not_heal_a_drawdown(hunter: Ledger, clock) -> None:
    """10 000 fall to 6 500, with 6 500 paid in then: 0.35 below the peak, which puts it to sleep; a share of 0.1262."""
    assert last(hunter).status is Status.ACTIVE
    assert mark(hunter, clock, 1, "65").endswith("; hunter hibernated")
    hunter.transfer("core", "hunter", D(6500))
    mark(hunter, clock, 1, "65")
    found = last(hunter)
    assert (found.memory.twr_index, found.memory.peak) == (0.65, 1.0)
    assert found.day.drawdown == pytest.approx(0.35, abs=1e-15)
    assert found.day.share == pytest.approx(13_000 / 96_500, abs=1e-15)
    assert (found.factor, found.reasons) == (0.0, Reason.STATUS | Reason.DRAWDOWN | Reason.REAWAKENING)
    with hunter.store.reading() as connection:
        core, satellite = book_rows.daily_rows(connection, "live").to_pylist()[-2:]
    assert (satellite["open_flows"], core["open_flows"], satellite["simple_return"]) == (6500.0, -6500.0, 0.0)


def test_a_person_rebases_a_peak_with_a_reason(hunter: Ledger, clock) -> None:
    with pytest.raises(InputError, match="rebase: hunter: at its peak: expected a drawdown"):
        hunter.rebase("hunter", "begin again")
    mark(hunter, clock, 1, "65")
    hunter.transfer("core", "hunter", D(6500))
    with pytest.raises(InputError) as refused:
        hunter.rebase("hunter", " ", actor="rule")
    assert str(refused.value).splitlines() == [
        "rebase: hunter: no reason: expected one",
        "rebase: hunter: rebase by a rule: expected a person",
    ]
    hunter.rebase("hunter", "begin again")
    # From 0.65, 130 shares' worth of which half is cash: 65 → 70 is 13 500 / 13 000 − 1.
    assert mark(hunter, clock, 1, "70").endswith("; hunter rebased; hunter woken")
    found = last(hunter)
    assert found.day.drawdown == 0.0
    assert found.memory.twr_index == pytest.approx(0.65 * 13_500 / 13_000, rel=1e-15)
    with hunter.store.reading() as connection:
        events = book_rows.event_rows(connection, "live").to_pylist()
    assert [(one["event"], round(one["value"], 12)) for one in events][-2:] == [
        ("rebased", 0.35),
        ("woken", round(13_500 / 97_000, 12)),
    ]


def test_five_losses_lock_and_a_person_unlocks(hunter: Ledger, clock) -> None:
    """Each round trip from 100 to 98 loses 2 %; the fifth locks for 30 days, then only tests may be opened."""
    for number in range(5):
        if number:
            trade(hunter, clock.day, f"buy-{number}", 10, "-1000")
        trade(hunter, clock.day, f"sell-{number}", -10 if number else -100, "980" if number else "9800")
        clock.day += dt.timedelta(days=1)
        said = hunter.mark(clock.day, {}).text
    assert said.endswith("; hunter locked")
    assert last(hunter).reasons & Reason.LOCK
    clock.day += dt.timedelta(days=30)
    hunter.mark(clock.day, {})
    assert last(hunter).is_test
    hunter.unlock("hunter")
    with pytest.raises(InputError, match="unlock: hunter: expected a lock by losses in a row, has none"):
        hunter.unlock("hunter")
    clock.day += dt.timedelta(days=1)
    assert hunter.mark(clock.day, {}).text.endswith("; hunter unlocked")
    assert (last(hunter).is_test, last(hunter).memory.losses) == (False, 0)
    with hunter.store.reading() as connection:
        trades = book_rows.trade_rows(connection, "live").to_pylist()
    assert [(one["outcome"], round(one["trade_return"], 12)) for one in trades] == [("loss", -0.02)] * 5
    assert [one["conviction"] for one in trades] == [None] * 5


def dividend(ledger: Ledger, clock, amount: str, ex_date: dt.date) -> None:
    details = {"unit": "NVDA", "ex_date": ex_date.isoformat()}
    ledger.record(Activity(f"dividend-{clock.day}", "dividend", clock.day, {"USD": D(amount)}, details=details))


def lose_five_times(ledger: Ledger, clock) -> list[dt.date]:
    """Make five round trips from 1 000 to 980, each sold and marked on a day of its own; return these days."""
    trade(ledger, clock.day, "all of it", -100, "10100")
    days = []
    for number in range(5):
        clock.day += dt.timedelta(days=2)
        trade(ledger, clock.day - dt.timedelta(days=1), f"buy-{number}", 10, "-1000")
        trade(ledger, clock.day, f"sell-{number}", -10, "980")
        ledger.mark(clock.day, {})
        days.append(clock.day)
    return days


@pytest.mark.parametrize(
    ("amount", "outcome", "losses"),
    [
        # 30 - 20 are 1 % of 1 000: a win after two losses, and two losses follow. 15 - 20 are neutral, 5 - 20 a loss.
        ("30", "win", 2),
        ("15", "neutral", 4),
        ("5", "loss", 5),
    ],
)
def test_a_dividend_that_is_paid_late_counts_in_the_losses_in_a_row(
    hunter: Ledger, clock, amount: str, outcome: str, losses: int
) -> None:
    days = lose_five_times(hunter, clock)
    assert (last(hunter).memory.losses, bool(last(hunter).reasons & Reason.LOCK)) == (5, True)
    clock.day += dt.timedelta(days=3)
    dividend(hunter, clock, amount, days[2])
    said = hunter.mark(clock.day, {}).text
    assert said.endswith("; hunter unlocked") == (losses < 5)
    found = last(hunter)
    assert (found.memory.losses, bool(found.reasons & Reason.LOCK)) == (losses, losses == 5)
    with hunter.state() as state:
        assert bool(state.locks("hunter", clock.day.isoformat())) == (losses == 5)
    with hunter.store.reading() as connection:
        trades = book_rows.trade_rows(connection, "live").to_pylist()
    assert [one["outcome"] for one in trades] == ["win", "loss", "loss", outcome, "loss", "loss"]
    # Counted again it is the same, and another loss goes on from there.
    clock.day += dt.timedelta(days=1)
    trade(hunter, clock.day, "once more", 10, "-1000")
    trade(hunter, clock.day, "and sold", -10, "980")
    hunter.mark(clock.day, {})
    assert last(hunter).memory.losses == losses + 1


@pytest.mark.parametrize(
    ("amount", "stages"),
    [
        # By hand: a win, a loss of 2 % that a dividend makes a win, neutral or leaves, and a win: the stages are 1, 0
        # and 1. With 30 - 20 they are 1, 2 and 3; with 15 - 20 the loss is none: 1, 1 and 2; 5 - 20 stays a loss.
        ("30", 3),
        ("15", 2),
        ("5", 1),
    ],
)
def test_a_dividend_that_is_paid_late_returns_the_stage_that_a_loss_took(
    hunter: Ledger, clock, amount: str, stages: int
) -> None:
    trade(hunter, clock.day, "all of it", -100, "10000")
    clock.day += dt.timedelta(days=1)
    hunter.mark(clock.day, {})
    for number, money in enumerate(("1100", "980", "1100")):
        clock.day += dt.timedelta(days=1)
        trade(hunter, clock.day, f"buy-{number}", 10, "-1000")
        trade(hunter, clock.day, f"sell-{number}", -10, money)
        hunter.mark(clock.day, {})
    assert last(hunter).memory.stage == 1
    middle = clock.day
    clock.day += dt.timedelta(days=3)
    # What was bought on the day before the last purchase had it; what was bought on the ex-date has not.
    dividend(hunter, clock, amount, middle)
    hunter.mark(clock.day, {})
    found = last(hunter)
    assert (found.memory.stage, found.day.reawakening) == (stages, (stages + 1) / 4)


def test_a_dividend_before_the_mark_of_the_sale_is_part_of_the_round_trip(hunter: Ledger, clock) -> None:
    """Bought for 1 000, sold for 980, 30 paid the same evening: +1 %, a win like the one before it."""
    trade(hunter, clock.day, "all of it", -100, "10100")
    mark(hunter, clock, 1, "100")
    clock.day += dt.timedelta(days=2)
    trade(hunter, clock.day - dt.timedelta(days=1), "buy again", 10, "-1000")
    trade(hunter, clock.day, "sell", -10, "980")
    dividend(hunter, clock, "30", clock.day)
    hunter.mark(clock.day, {})
    # The first position was opened on the day of the start, which no stage counts.
    assert (last(hunter).memory.losses, last(hunter).memory.stage) == (0, 1)
    with hunter.store.reading() as connection:
        trades = book_rows.trade_rows(connection, "live").to_pylist()
    assert [(one["outcome"], one["dividends"]) for one in trades] == [("win", 0.0), ("win", 30.0)]


def test_a_dividend_belongs_to_the_position_that_was_held_before_its_ex_date(hunter: Ledger, clock) -> None:
    trade(hunter, clock.day, "all of it", -100, "9800")
    mark(hunter, clock, 1, "98")
    clock.day += dt.timedelta(days=1)
    trade(hunter, clock.day, "again", 10, "-1000")
    mark(hunter, clock, 1, "100")
    dividend(hunter, clock, "300", clock.day - dt.timedelta(days=1))
    mark(hunter, clock, 1, "100")
    with hunter.store.reading() as connection:
        trades = book_rows.trade_rows(connection, "live").to_pylist()
    assert [(one["outcome"], one["dividends"]) for one in trades] == [("win", 300.0), (None, 0.0)]
    assert last(hunter).memory.losses == 0


def test_a_boost_a_halt_and_the_regime_are_among_the_reasons(hunter: Ledger, clock) -> None:
    hunter.set("hunter", {"regime": True})
    hunter.boost("hunter", 7)
    mark(hunter, clock, 1, "100", regime=Regime.SIDEWAYS)
    # Breakouts in a sideways market: a quarter at the first stage, half as much again, half of that.
    assert last(hunter).factor == 0.25 * 1.5 * 0.5
    assert last(hunter).reasons == Reason.REAWAKENING | Reason.BOOST | Reason.REGIME
    hunter.halt()
    mark(hunter, clock, 1, "100")
    assert (last(hunter).factor, bool(last(hunter).reasons & Reason.HALT)) == (0.0, True)


def test_another_revision_of_a_session_counts_in_place_of_the_first(hunter: Ledger, clock) -> None:
    mark(hunter, clock, 1, "65")
    assert last(hunter).status is Status.HIBERNATING
    mark(hunter, clock, 0, "95")
    assert last(hunter).status is Status.ACTIVE
    assert last(hunter).memory.twr_index == 0.95
    with hunter.state() as state:
        assert state.buckets["hunter"].status == "active"


def test_an_evaluation_that_cannot_be_made_names_each_reason(ledger: Ledger, clock) -> None:
    ledger.deposit(D(1000))
    with pytest.raises(InputError) as refused:
        ledger.evaluate(clock.day + dt.timedelta(days=1))
    assert str(refused.value).splitlines() == [
        "evaluate: 2026-03-03: expected 2026-03-02, today, or a session before",
        "evaluate: 2026-03-03: expected a mark before it",
        "evaluate: expected a satellite in use",
    ]
    with pytest.raises(InputError, match="apply: expected an evaluation"):
        ledger.apply()


def test_a_quarter_is_evaluated_once_and_applied_once(hunter: Ledger, clock) -> None:
    clock.day += dt.timedelta(days=1)
    with pytest.raises(InputError, match="expected the first session of a quarter: 2026-03-02 is a session of it"):
        hunter.evaluate(clock.day)
    clock.day = dt.date(2026, 4, 1)
    said = hunter.evaluate(clock.day).text
    assert said == "evaluate: 2026-04-01: 0 of 1 satellites take part; 0.00 to be moved"
    with pytest.raises(InputError, match="2026-04-01: expected a quarter without an evaluation: entry 10 is one"):
        hunter.evaluate(clock.day)
    hunter.apply(key="again")
    assert not hunter.apply(key="again").is_new
    with pytest.raises(InputError, match="apply: 10: expected an evaluation that is not applied: entry 11 applies it"):
        hunter.apply()
    with hunter.store.reading() as connection:
        (row,) = book_rows.evaluation_rows(connection, "live").to_pylist()
    assert (row["status"], row["probation"], row["is_member"], row["value"]) == ("active", "pending", False, 10_000.0)


def test_an_account_may_tilt_by_the_regime(hunter: Ledger, clock) -> None:
    """71 sessions that began in a bull market, in two episodes around a bear market; 70 rise by 0.1 %."""
    price, regimes = D(100), [Regime.BULL] * 40 + [Regime.BEAR] * 3 + [Regime.BULL] * 32
    for regime in regimes:
        price *= D("1.001") if regime is Regime.BULL else D("0.98")
        mark(hunter, clock, 1, str(price.quantize(D("0.000001"))), regime=regime)
    hunter.set("live", {"tilt": "regime"})
    quarter = dt.date(2026, 7, 1)
    clock.day = quarter
    number = hunter.evaluate(quarter).entry
    with hunter.state() as state:
        content = json.loads(next(state.rows("select content from evaluation where entry = :number", number=number))[0])
    (record,) = content["account"]["records"]
    # The first mark's regime is unknown. 39 and 31 sessions follow a bull market's close, and the first of the bear's.
    assert (record["in_regime"]["sessions"], record["in_regime"]["episodes"]) == (71, 2)
    expected = (39 * 0.001 + 31 * 0.001 - 0.02) / 71
    assert record["in_regime"]["mean"] == pytest.approx(expected, abs=1e-7)
    with pytest.raises(InputError, match=r"set live: tilt=on: expected one of budget=FRACTION, .*tilt=none\|regime"):
        hunter.set("live", {"tilt": "on"})


def test_a_split_moves_prices_and_stops_alike(hunter: Ledger, clock) -> None:
    """100 shares of 100, a stop 12.5 % below: after two for one 200 of 50, a stop of 43.75, and no return."""
    assert last(hunter).positions["NVDA"].stop == 87.5
    clock.day += dt.timedelta(days=1)
    hunter.record(Activity("s1", "split", clock.day, {"NVDA": D(100)}, details={"ratio": "2"}))
    mark(hunter, clock, 0, "50")
    found = last(hunter)
    held = found.positions["NVDA"]
    assert (held.quantity, held.entry_price, held.stop, held.highest) == (200.0, 50.0, 43.75, 50.0)
    assert (found.day.simple_return, found.memory.trades) == (0.0, 1)


def test_shares_that_another_bucket_takes_are_a_flow_and_no_round_trip(hunter: Ledger, clock) -> None:
    """Of 100 to 110 hunter earns a tenth, and the shares leave at the 110 that was marked, whatever comes then."""
    mark(hunter, clock, 1, "110")
    hunter.reassign("NVDA", "core", confirmed="hunter")
    mark(hunter, clock, 1, "99")
    found = last(hunter)
    assert (found.memory.twr_index, found.value, found.memory.losses) == (pytest.approx(1.1, rel=1e-15), 0.0, 0)
    with hunter.store.reading() as connection:
        (trade_row,) = book_rows.trade_rows(connection, "live").to_pylist()
        core = book_rows.daily_rows(connection, "live").to_pylist()[-2]
    assert (trade_row["closed"], trade_row["outcome"]) == (clock.day - dt.timedelta(days=1), None)
    assert core["simple_return"] == pytest.approx(100 * (99 - 110) / (90_000 + 11_000), rel=1e-12)


def test_a_sale_that_is_taken_back_is_no_round_trip(hunter: Ledger, clock) -> None:
    trade(hunter, clock.day, "sell", -100, "9000")
    hunter.record(Activity("b1", "bust", clock.day, {"NVDA": D(100), "USD": D(-9000)}, previous="sell"))
    mark(hunter, clock, 1, "100")
    assert (last(hunter).memory.losses, last(hunter).positions["NVDA"].quantity) == (0, 100.0)
    with hunter.store.reading() as connection:
        (trade_row,) = book_rows.trade_rows(connection, "live").to_pylist()
    assert (trade_row["closed"], trade_row["cost"], trade_row["quantity"]) == (None, 10_000.0, 100.0)
