"""Starts within a history, and what scenarios come to from them, where both are known in closed form."""

import numpy as np
import pytest
from support.generators import panel_of, rules_of

from sd_core.resampling.starts import start_outcomes, start_places
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
