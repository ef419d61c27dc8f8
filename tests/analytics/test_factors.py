"""Which stretches factors cover, and what they explain: worked by hand, and planted."""

import numpy as np
import pytest

from sd_core.analytics.factors import explain, rows_of
from sd_core.market.factors import FactorReturns


def days(*dates: str) -> np.ndarray:
    return np.array(dates, dtype="datetime64[D]")


def test_factors_of_dates_between_two_sessions_are_compounded():
    """The study rests on the 3rd; the file lacks the 5th, so that a row runs from the 4th to the 8th."""
    factors = FactorReturns(
        ("F",),
        "daily",
        days("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-08"),
        np.array([[9.0], [0.1], [0.2], [0.3]]),
    )
    found = rows_of(factors, days("2024-01-02", "2024-01-04", "2024-01-05", "2024-01-08"), False)
    assert (found.first.tolist(), found.last.tolist()) == ([0, 1], [1, 3])
    assert found.factors[:, 0] == pytest.approx([1.1 * 1.2 - 1, 0.3])


def test_missing_return_and_hole_in_the_file_end_no_row():
    factors = FactorReturns(
        ("F",),
        "daily",
        days("2024-01-02", "2024-01-03", "2024-01-04", "2024-02-01", "2024-02-02"),
        np.array([[0.1], [np.nan], [0.2], [0.3], [0.4]]),
    )
    found = rows_of(factors, factors.dates, False)
    assert found.last.tolist() == [2, 4]
    assert found.factors[:, 0] == pytest.approx([0.2, 0.4])


SESSIONS = days("2023-11-15", "2023-11-30", "2023-12-01", "2023-12-29", "2024-01-31", "2024-03-28", "2024-04-30")


@pytest.mark.parametrize(("has_ended", "last"), [(False, [3, 4]), (True, [3, 4, 6])])
def test_monthly_factors_take_whole_months(has_ended, last):
    """From the last session of November on; February has none; April counts where no session of it is to come."""
    months = np.arange("2023-01", "2024-06", dtype="datetime64[M]").astype("datetime64[D]")
    factors = FactorReturns(("F",), "monthly", months, np.arange(len(months))[:, None] / 100)
    found = rows_of(factors, SESSIONS, has_ended)
    assert found.last.tolist() == last
    assert found.factors[:, 0] == pytest.approx([0.11, 0.12, 0.15][: len(last)])


def test_months_that_the_file_lacks_or_marks_are_left_out():
    factors = FactorReturns(("F",), "monthly", days("2023-12-01", "2024-01-01"), np.array([[0.1], [np.nan]]))
    assert rows_of(factors, SESSIONS, True).last.tolist() == [3]


@pytest.fixture
def planted():
    """Return rows of two factors, and a growth that is 0.0002 + 1.2 F - 0.4 G above cash on each."""
    rng = np.random.default_rng(7)
    dates = np.arange("2022-01-03", "2023-03-01", dtype="datetime64[D]")
    returns = rng.normal(0, 0.01, (len(dates), 2))
    rows = rows_of(FactorReturns(("F", "G"), "daily", dates, returns), dates, False)
    cash = 1.0001 ** np.arange(len(dates))
    steps = 1.0001 + 0.0002 + returns @ [1.2, -0.4]
    steps[0] = 1.0
    return rows, np.cumprod(steps), cash


def test_planted_alpha_and_betas_are_found(planted):
    rows, growth, cash = planted
    found = explain(rows, growth, cash)
    assert found.regression.coefficients == pytest.approx([0.0002, 1.2, -0.4])
    assert found.regression.r_squared == pytest.approx(1.0)
    # The line through the means: alpha and the contributions are the mean excess return.
    assert found.regression.coefficients[0] + found.factor_means @ [1.2, -0.4] == pytest.approx(found.mean_excess)


def test_fewer_than_sixty_rows_say_so(planted):
    rows, growth, cash = planted
    for count, missing in ((59, "fewer than 60 rows"), (60, None)):
        found = explain(type(rows)(*(part[:count] for part in rows)), growth, cash)
        assert (found.rows, found.missing) == (count, missing)
        assert (found.regression is None) == (missing is not None)


def test_sessions_after_a_total_loss_count_for_nothing(planted):
    rows, growth, cash = planted
    growth = np.where(np.arange(len(growth)) < 100, growth, 0.0)
    assert explain(rows, growth, cash).rows == 100


def test_factor_that_follows_from_another_is_named_as_the_reason(planted):
    rows, growth, cash = planted
    twice = rows._replace(factors=rows.factors[:, [0, 0]] * [1.0, -2.0])
    found = explain(twice, growth, cash)
    assert (found.regression, found.missing) == (None, "a factor does not move, or follows from the others")
