"""Starts within a history, and what scenarios come to from them, where both are known in closed form."""

import numpy as np
import pytest
from support.generators import panel_of, rules_of

from sd_core.resampling.starts import after_years, start_outcomes, start_places
from sd_core.simulation.rules import Variant

SESSIONS = np.arange("2020-01-15", "2023-03-01", dtype="datetime64[D]")
DAILY = 1.0003


def growing(missing=()):
    """Return a panel of two assets that grow alike each day; the second has no bar on some dates."""
    prices = 100 * DAILY ** np.arange(len(SESSIONS))
    gaps = np.isin(SESSIONS, np.array(missing, "datetime64[D]"))
    return panel_of(prices, np.where(gaps, np.nan, prices), sessions=SESSIONS)


def test_constant_growth_is_the_same_from_every_start():
    panel = growing()
    places = start_places(panel, "month")
    # January 2020 to February 2022: the 1st of March 2022 has 364 days left.
    assert len(places) == 26
    rules = [rules_of(assets=2, variant=Variant.NO_RULE), rules_of(assets=2, variant=Variant.NO_RULE, reserve=0.25)]
    for place, (whole, part) in zip(places, start_outcomes(panel, rules, places), strict=True):
        days = len(SESSIONS) - 1 - place
        assert 1 + whole.twr == pytest.approx(DAILY**days, rel=1e-10)
        assert 1 + part.twr == pytest.approx(0.25 + 0.75 * DAILY**days, rel=1e-10)
        assert whole.final_value == pytest.approx(100_000 * DAILY**days, rel=1e-10)
        assert whole.xirr == pytest.approx(DAILY**365 - 1, rel=1e-6)


def test_start_waits_for_a_bar_of_every_asset():
    panel = growing(["2021-01-01", "2021-01-02"])
    starts = [str(panel.sessions[place]) for place in start_places(panel, "year")]
    assert starts == ["2020-01-15", "2021-01-03", "2022-01-01"]


def test_history_shorter_than_a_year_has_no_start():
    panel = panel_of(np.full(300, 50.0), sessions=SESSIONS[:300])
    assert start_places(panel, "month") == []
    assert list(start_outcomes(panel, [rules_of()], [])) == []


def test_what_a_start_came_to_is_that_of_the_last_session_up_to_its_anniversary():
    # Day by day, so that each anniversary is a session; 5 years later there is none.
    panel = growing()
    rules = [rules_of(assets=2, variant=Variant.NO_RULE, reserve=0.25)]
    [[one]] = start_outcomes(panel, rules, [0])
    days = {1: 366, 3: 366 + 365 + 365}  # 2020 is a leap year
    for years, later in days.items():
        grown = 0.25 + 0.75 * DAILY**later
        assert 1 + one.after[f"twr_{years}y"] == pytest.approx(grown, rel=1e-10)
        assert one.after[f"value_{years}y"] == pytest.approx(100_000 * grown, rel=1e-10)
        assert one.after[f"gain_{years}y"] == pytest.approx(100_000 * (grown - 1), rel=1e-8)
        assert one.after[f"drawdown_{years}y"] == 0
    assert np.isnan([one.after[f"{name}_5y"] for name in ("value", "gain", "twr", "drawdown")]).all()


def test_money_in_and_out_is_no_gain_and_a_fall_stays_in_the_drawdown():
    """Worked by hand: 100 falls to 80, 30 come in, 110 rise to 132 of which 22 are paid, 110 stay."""
    daily = np.zeros(4, [("value", float), ("withdrawals", float), ("deposits", float)])
    daily["value"], daily["deposits"], daily["withdrawals"] = [80, 110, 110, 110], [0, 30, 0, 0], [0, 0, 22, 0]
    sessions = np.array(["2020-01-02", "2020-07-01", "2020-12-31", "2021-01-04"], "datetime64[D]")
    after = after_years(daily, sessions, 100.0)
    # The anniversary, 2 January 2021, is a Saturday.
    assert (after["value_1y"], after["gain_1y"]) == (110, 110 + 22 - 100 - 30)
    assert after["twr_1y"] == pytest.approx(0.8 * 1.0 * 1.2 - 1)
    assert after["drawdown_1y"] == pytest.approx(-0.2)
    assert np.isnan(after["value_3y"])
