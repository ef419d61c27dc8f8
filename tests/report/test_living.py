"""What the report and the terminal say of withdrawals in bootstrap samples, from samples made by hand."""

import duckdb
from reading import parse
from support.lake_tables import add_taxes, insert

from pipelines.report.living import living_sentences, paying

SAMPLES = 400


def withdraw(connection: duckdb.DuckDBPyConnection) -> None:
    """Let sd8 pay 4 % of the capital in 380 of 400 samples of 30 years, and 2 % to 6 % at most, evenly spread."""
    for history in range(1, SAMPLES + 1):
        names = {"strategy": "sd8", "reserve": 0.1, "history": history, "years": 30}
        year = 25 if history <= 20 else None
        paid = {"paid_share": 1.0, "first_unpaid_year": year, "final_value": 50.0}
        case = {"withdrawal_of": "capital", "withdrawal_rate": 0.04, "is_own": False}
        insert(connection, "withdrawal_outcome", names | case | paid)
        rate = 0.02 + 0.04 * (history - 1) / (SAMPLES - 1)
        insert(connection, "withdrawal_limit", names | {"highest_rate": rate, "is_beyond": False})


def test_report_shows_what_each_strategy_pays(small_report) -> None:
    header, row = parse(small_report(withdraw)).one("section", id="living").one("table").rows()
    shown = {name.text: cell.text.replace("\u202f", " ") for name, cell in zip(header, row, strict=True)}
    assert shown["strategy"] == "sd8"
    assert shown["withdrawn per year"] == "4 % of capital"
    assert shown["paid to the end"] == "95.0 %"
    assert shown["median left, USD"] == "50"
    assert shown["safe at 95 %"] == "2.20 %"  # the 21st of 400 rates


def test_what_the_rates_leave_out_is_said_beside_them(small_report) -> None:
    assert "All of this is before taxes." in parse(small_report(withdraw)).one("section", id="living").text

    def lump_sum(connection: duckdb.DuckDBPyConnection) -> None:
        withdraw(connection)
        connection.execute("update lake.study_strategy set withdrawals_on = '{}' where strategy = 'sd8'")

    text = parse(small_report(lump_sum)).one("section", id="living").text
    assert "All of this is before taxes and without the lump sums that go out." in text


def test_samples_too_few_for_a_lower_end_are_said_to_be_so(small_report) -> None:
    found: list[str] = []

    def cut(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("update report_safe_withdrawal set safe_rate_low = null, safe_rate_high = 0.0612")
        found.extend(living_sentences(paying(connection)))

    small_report(withdraw, cut)
    assert found[0].endswith("(up to 6.12 %, too few samples for a lower end).")


def test_taxes_are_said_to_be_paid_where_the_study_has_them(small_report) -> None:
    def with_taxes(connection: duckdb.DuckDBPyConnection) -> None:
        withdraw(connection)
        add_taxes(connection)

    text = parse(small_report(with_taxes)).one("section", id="living").text
    assert "before taxes" not in text
    assert "Taxes are paid from the portfolio too, those of a year in April of the next" in text


def test_report_without_samples_has_no_such_part(small_report) -> None:
    assert "living" not in {part.attributes["id"] for part in parse(small_report()).all("section")}


def test_sentence_names_chance_and_safe_rate_with_their_errors(small_report) -> None:
    found: list[str] = []
    small_report(withdraw, lambda connection: found.extend(living_sentences(paying(connection))))
    [sentence] = found
    # The interval of 380 of 400 is 0.92404 to 0.96740, after Wilson's formula.
    assert sentence.startswith(
        "sd8 at a reserve of 10 % pays 4 % of the capital a year for 30 years in 95.0 % of the samples "
        "(92.4 % to 96.7 %)."
    )
    assert "Safe at 95 %: 2.20 % of the capital a year (" in sentence
