"""What is reported of withdrawals in bootstrap samples, from outcomes that can be counted by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from support.lake_tables import build_only, insert

from pipelines.warehouse.records import records

# Of 40 samples, seven leave something unpaid: in the first year, twice in the third, and in the fourth.
UNPAID = [1, 3, 3, 4, 4, 4, 4]
SAMPLES = 40


def interval(part: float) -> list[float]:
    found = binomtest(round(part * SAMPLES), SAMPLES).proportion_ci(0.95, method="wilson")
    return [found.low, found.high]


@pytest.fixture
def withdrawing(small):
    """Return the warehouse of the small study whose samples have withdrawn 4 % of the capital, and of the value."""
    outcomes: list[dict[str, object]] = []
    for history in range(1, SAMPLES + 1):
        year = UNPAID[history - 1] if history <= len(UNPAID) else None
        row = {"strategy": "sd8", "reserve": 0.1, "history": history, "years": 5, "final_value": 10.0 * history}
        of_capital = {"withdrawal_of": "capital", "withdrawal_rate": 0.04, "is_own": False}
        paid = {"paid_share": 0.5 if year else 1.0, "first_unpaid_year": year, "real_value": 5.0 * history}
        of_value = {"withdrawal_of": "value", "withdrawal_rate": 0.04, "is_own": True}
        outcomes += [row | of_capital | paid, row | of_value]  # on the second nothing falls due, without a price index
    insert(small, "withdrawal_outcome", *outcomes)
    build_only(small, "report_withdrawal", "report_withdrawal_year")
    return small


def test_share_that_pays_everything_has_its_monte_carlo_error(withdrawing):
    (found,) = records(withdrawing, "from report_withdrawal where not is_own")
    assert found["paid_all"] == pytest.approx(33 / 40)
    assert [found["paid_all_low"], found["paid_all_high"]] == pytest.approx(interval(33 / 40), rel=1e-12)
    assert found["paid_share"] == pytest.approx((33 + 7 * 0.5) / 40)
    assert (found["histories"], found["years"]) == (40, 5)


def test_what_is_left_has_percentiles_in_both_kinds_of_money(withdrawing):
    (found,) = records(withdrawing, "from report_withdrawal where not is_own")
    expected = np.percentile(10.0 * np.arange(1, SAMPLES + 1), [5, 50, 95])
    places = ("low", "median", "high")
    assert [found[f"final_value_{place}"] for place in places] == pytest.approx(expected, rel=1e-12)
    assert [found[f"real_value_{place}"] for place in places] == pytest.approx(expected / 2, rel=1e-12)


def test_withdrawals_that_never_fall_due_are_neither_paid_nor_unpaid(withdrawing):
    (found,) = records(withdrawing, "from report_withdrawal where is_own")
    assert [found[name] for name in ("paid_all", "paid_all_low", "paid_all_high", "paid_share")] == [None] * 4
    assert [found[f"real_value_{place}"] for place in ("low", "median", "high")] == [None] * 3
    assert found["final_value_median"] == pytest.approx(205)
    assert records(withdrawing, "from report_withdrawal_year where is_own") == []


def test_unpaid_samples_add_up_year_by_year(withdrawing):
    found = records(withdrawing, "from report_withdrawal_year order by year")
    assert [row["year"] for row in found] == [1, 2, 3, 4, 5]
    for row, unpaid in zip(found, (1, 1, 3, 7, 7), strict=True):
        assert row["unpaid"] == pytest.approx(unpaid / 40)
        assert [row["unpaid_low"], row["unpaid_high"]] == pytest.approx(interval(unpaid / 40), rel=1e-12)


def limits(con, rates, *, beyond=0, strategy="sd8"):
    names = {"strategy": strategy, "reserve": 0.1, "years": 30}
    found = [
        names | {"history": history, "highest_rate": rate, "is_beyond": history > len(rates) - beyond}
        for history, rate in enumerate(rates, start=1)
    ]
    insert(con, "withdrawal_limit", *found)


def safe(con, strategy="sd8"):
    rows = records(con, f"from report_safe_withdrawal where strategy = '{strategy}' order by certainty")
    return {row["certainty"]: row for row in rows}


def paying(samples: int) -> dict[str, list[float]]:
    """Return the share of samples that pay each of their rates in ascending order, and the ends of its interval."""
    counts = range(samples, 0, -1)
    intervals = [binomtest(count, samples).proportion_ci(0.95, "wilson") for count in counts]
    return {
        "safe_rate": [count / samples + 1e-9 for count in counts],
        "safe_rate_low": [interval.low for interval in intervals],
        "safe_rate_high": [interval.high for interval in intervals],
    }


@pytest.mark.parametrize(("samples", "beyond"), [(1_000, 0), (1_000, 700), (400, 0), (400, 300), (100, 0)])
def test_safe_rate_is_the_highest_that_enough_samples_pay(small, samples, beyond):
    rates = np.linspace(0.02, 0.06, samples).tolist()
    limits(small, rates, beyond=beyond)
    build_only(small, "report_safe_withdrawal")
    found, expected = safe(small), paying(samples)
    for certainty in (0.9, 0.95, 0.99):
        row = found[certainty]
        for name, shares in expected.items():
            good = [rate for rate, share in zip(rates, shares, strict=True) if share >= certainty]
            assert row[name] == max(good, default=None), name
        assert row["safe_amount"] == pytest.approx(row["safe_rate"] * 1000)
        assert (row["missing"], row["years"], row["histories"]) == (None, 30, samples)
    # Of 100 samples none can show that 99 % pay.
    assert (found[0.99]["safe_rate_low"] is None) == (samples == 100)


def test_rate_beyond_the_search_is_not_taken_for_the_highest(small):
    limits(small, np.linspace(0.02, 0.06, 100).tolist(), beyond=93)
    build_only(small, "report_safe_withdrawal")
    found = safe(small)
    assert (found[0.9]["safe_rate"], found[0.9]["missing"]) == (None, "The search for higher rates ended too early.")
    assert found[0.95]["safe_rate"] == pytest.approx(0.02 + 5 * 0.04 / 99)
    assert found[0.95]["safe_rate_high"] is None


def test_without_a_withdrawal_due_there_is_no_safe_rate_and_a_reason(small):
    limits(small, [None] * 20)
    build_only(small, "report_safe_withdrawal")
    for row in safe(small).values():
        assert [row[name] for name in ("safe_rate", "safe_rate_low", "safe_rate_high", "safe_amount")] == [None] * 4
        assert row["missing"] == "No withdrawal falls due in the samples."
