"""A satellite in research does on paper, session by session, what the engine of histories simulates in one go."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from support.satellites_in_a_ledger import Drawn, assert_rows_agree, drawn, rows_of, satellite_of, tables_of

from sd_core.buckets.history.engine import simulate
from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.marked import MarketDay, date_of
from sd_core.buckets.ledger.verification import verify
from sd_core.buckets.trading.openings import Asked, Costs
from sd_core.buckets.trading.paper import Bar, PaperDay, trade_on_paper
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
