"""A satellite in research does on paper, session by session, what the engine of histories simulates in one go."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sqlalchemy import text
from support.satellites_in_a_ledger import Drawn, assert_rows_agree, drawn, rows_of, satellite_of, tables_of

from sd_core.buckets.history.engine import simulate
from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.marked import MarketDay, at_last_mark, date_of
from sd_core.buckets.ledger.verification import verify
from sd_core.buckets.trading.openings import Asked, Costs
from sd_core.buckets.trading.paper import Bar, PaperDay, split_since, trade_on_paper
from sd_core.errors import InputError
from sd_core.market.arrays import last_known
from sd_core.schemas.kinds import Regime

# Half a year, after which an evaluation would judge the probation of a satellite that has started.
DAYS = 182


def alone(seed: int, *, is_whole: bool = True) -> Drawn:
    """Return the first satellite of a drawn plan by itself, with its target from the start, for half a year."""
    drawn_plan = drawn(seed, is_whole=is_whole)
    case, settings = drawn_plan.case, drawn_plan.settings[0]
    settings = replace(settings, toggles=replace(settings.toggles, harvest=False))
    one = replace(case.plan.satellites[0], parameters=settings.parameters)
    days = case.panel.sessions - case.panel.sessions[0]
    case = case.until(int(np.searchsorted(days, np.timedelta64(DAYS, "D"))))
    case = replace(
        case,
        plan=replace(case.plan, satellites=(one,), starts_at_target=True),
        deposits=np.zeros(len(case.panel.sessions)),
    )
    return Drawn(case, (settings,), simulate(case.plan, case.panel, case.signals, case.deposits, case.core()))


def days_of(plan: Drawn) -> list[PaperDay]:
    """Return the sessions as a satellite on paper sees them."""
    case = plan.case
    panel, signals, places = case.panel, case.signals, case.plan.satellites[0].tickers
    last = last_known(panel.close)
    peaks = np.fmax.accumulate(last)
    days = []
    for session, date in enumerate(panel.sessions):
        asked = {
            f"T{place}": Asked(
                close=float(last[session - 1, place]),
                peak=float(peaks[session - 1, place]),
                is_entry=bool(signals.is_entry[session - 1, place]),
                conviction=float(signals.conviction[session - 1, place]),
                order=float(signals.order[session - 1, place]),
                next_ex_date=date_of(int(signals.next_ex_date[session - 1, place])),
            )
            for place in places
            if session
        }
        sides = ("open", "high", "low", "close", "dividends")
        bars = {f"T{place}": Bar(*(float(getattr(panel, side)[session, place]) for side in sides)) for place in places}
        lost = frozenset(f"T{place}" for place in places if signals.is_exit[session, place])
        market = MarketDay(Regime(int(signals.regime[session])), 0.0, lost)
        costs = Costs(case.plan.fee_fixed, case.plan.fee_rate)
        prices = {f"T{place}": float(last[session, place]) for place in places}
        days.append(
            PaperDay(
                date.item(),
                bars,
                prices,
                asked,
                market,
                costs,
                dict(zip(bars, (case.plan.lot_sizes[place] for place in places), strict=True)),
            )
        )
    return days


def create(ledger: Ledger, plan: Drawn) -> str:
    ledger.deposit(Decimal(100_000))
    ledger.set("live", {"budget": "0.3"})
    satellite = satellite_of(plan, 0)
    ledger.create(satellite)
    return satellite.name


@pytest.mark.parametrize("seed", [0, 4, 11])
def test_paper_does_what_the_history_does(ledger: Ledger, clock, seed: int) -> None:
    plan = alone(seed)
    days = days_of(plan)
    clock.day = days[0].session
    name = create(ledger, plan)
    for day in days:
        clock.day = day.session
        trade_on_paper(ledger, name, day)
    expected = {table: [row for row in rows if row["bucket"] == name] for table, rows in tables_of(plan).items()}
    book = f"paper:{name}"
    assert len(expected["bucket_trade"]) >= 3
    assert_rows_agree(rows_of(ledger, book_rows.trade_rows, book), expected["bucket_trade"], {"book"})
    assert_rows_agree(rows_of(ledger, book_rows.daily_rows, book), expected["bucket_daily"], {"book"})
    assert_rows_agree(rows_of(ledger, book_rows.event_rows, book), expected["bucket_event"], {"book", "seq"})
    with ledger.store.reading() as connection:
        assert verify(connection).findings == []


@pytest.mark.parametrize("seed", [0, 11])
def test_parts_of_a_share_cost_no_more_than_there_is(ledger: Ledger, clock, seed: int) -> None:
    """A ledger keeps 9 digits of a share and 4 of a dollar: of 10 000 dollars, less than a part in a million."""
    plan = alone(seed, is_whole=False)
    days = days_of(plan)
    clock.day = days[0].session
    name = create(ledger, plan)
    for day in days:
        clock.day = day.session
        trade_on_paper(ledger, name, day)
    found = rows_of(ledger, book_rows.daily_rows, f"paper:{name}")
    expected = [row for row in tables_of(plan)["bucket_daily"] if row["bucket"] == name]
    assert [row["reasons"] for row in found] == [row["reasons"] for row in expected]
    assert min(row["cash"] for row in found) >= 0.0
    assert [row["twr_index"] for row in found] == pytest.approx([row["twr_index"] for row in expected], rel=1e-6)


def after_a_split(day: PaperDay, ratio: int) -> PaperDay:
    """Return a session as it is stated in new shares: prices and dividends a part of what they were."""
    return replace(
        day,
        bars={
            ticker: Bar(*(getattr(bar, side) / ratio for side in ("open", "high", "low", "close", "dividend")))
            for ticker, bar in day.bars.items()
        },
        last={ticker: close / ratio for ticker, close in day.last.items()},
        asked={
            ticker: replace(one, close=one.close / ratio, peak=one.peak / ratio) for ticker, one in day.asked.items()
        },
    )


@pytest.mark.parametrize("seed", [0, 11])
def test_a_split_changes_shares_and_prices_of_a_position_and_nothing_else(ledger: Ledger, clock, seed: int) -> None:
    plan = alone(seed, is_whole=False)
    days = days_of(plan)
    clock.day = days[0].session
    name = create(ledger, plan)
    book = ledger.paper(name)
    held: dict[str, int] = {}
    for old in days:
        clock.day, day = old.session, old
        if not held and len(rows_of(ledger, book_rows.trade_rows, book.book)):
            # From here on everything counts in new shares: two for one.
            with book.state() as state:
                held, before = state.positions(name), at_last_mark(state, name).positions
        if held:
            day = after_a_split(old, 2)
            if "split" not in done_by(book):
                (first, *_) = trade_on_paper(ledger, name, replace(day, splits=dict.fromkeys(held, Fraction(2))))
                assert (first.kind, first.numbers["ratio"]) == ("split", "2")
                with book.state() as state:
                    after = at_last_mark(state, name).positions
                for ticker, one in ((ticker, after[ticker]) for ticker in held if ticker in after):
                    assert one.entry_price == pytest.approx(before[ticker].entry_price / 2, rel=1e-9)
                    assert one.stop >= before[ticker].stop / 2 * (1 - 1e-9)
                    assert one.quantity >= 2 * before[ticker].quantity * (1 - 1e-9)
                continue
        trade_on_paper(ledger, name, day)
    assert held
    expected = [row for row in tables_of(plan)["bucket_daily"] if row["bucket"] == name]
    found = rows_of(ledger, book_rows.daily_rows, book.book)
    assert [row["reasons"] for row in found] == [row["reasons"] for row in expected]
    assert [row["twr_index"] for row in found] == pytest.approx([row["twr_index"] for row in expected], rel=1e-6)
    trips = [row for row in tables_of(plan)["bucket_trade"] if row["bucket"] == name]
    found = rows_of(ledger, book_rows.trade_rows, book.book)
    assert [row["exit_reason"] for row in found] == [row["exit_reason"] for row in trips]
    with ledger.store.reading() as connection:
        assert verify(connection).findings == []


def done_by(book: Ledger) -> set[str]:
    with book.store.reading() as connection:
        kinds = connection.execute(text("select kind from entry where book = :book"), {"book": book.book})
        return set(kinds.scalars())


@pytest.mark.parametrize(
    ("marked", "now", "recorded", "ratio"),
    [
        (100.0, 100.0, [2.0], None),
        pytest.param(100.0, 99.5, [], None, id="a close put right by half a percent"),
        (100.0, 50.0, [2.0], Fraction(2)),
        pytest.param(100.0, 100.0 / 6, [4.0, 3.0, 2.0], Fraction(6), id="the last two of three"),
        pytest.param(100.0, 1000.0, [0.1], Fraction(1, 10), id="ten old shares for one"),
        pytest.param(107.21, 100.0, [1.0721], Fraction(10721, 10000), id="a small one that is recorded"),
        pytest.param(107.21, 100.0, [], None, id="a small one that is not"),
        pytest.param(100.01, 66.67, [], Fraction(3, 2), id="a large one that is not, rounded to cents"),
        pytest.param(100.0, 60.0, [], Fraction(5, 3), id="five for three"),
        pytest.param(100.0, 58.7, [], None, id="a price put right by a large part"),
    ],
)
def test_a_split_is_known_by_what_it_does_to_a_marked_close(
    marked: float, now: float, recorded: list[float], ratio: Fraction | None
) -> None:
    assert split_since(marked, now, recorded) == ratio


def test_a_session_on_paper_is_booked_once_and_sixty_three_allow_a_start(ledger: Ledger, clock) -> None:
    plan = alone(1)
    clock.day = days_of(plan)[0].session
    name = create(ledger, plan)
    day = replace(days_of(plan)[0], asked={})
    for number in range(63):
        clock.day = day.session + dt.timedelta(days=number)
        if number == 62:
            with pytest.raises(InputError, match="62 sessions on paper: expected at least 63"):
                ledger.start(name)
        assert trade_on_paper(ledger, name, replace(day, session=clock.day), dry_run=True)[-1].is_dry_run
        assert trade_on_paper(ledger, name, replace(day, session=clock.day))
        assert [one.is_new for one in trade_on_paper(ledger, name, replace(day, session=clock.day))] == [False]
    ledger.start(name)
    with pytest.raises(InputError, match=f"paper: {name}: accumulating: expected a satellite in research"):
        trade_on_paper(ledger, name, day)
