"""What a study may say of its signals, and how the rest is refused."""

import pytest
from support.lab import small_study, write_prices, write_study

from sd_core.errors import InputError
from sd_core.study.loading import load_study


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices") / "prices", 30)


def load(folder, prices, signals, **more):
    return load_study(write_study(folder / "small.yaml", {**small_study(prices), "signals": signals, **more}))


def test_signals_are_read_as_written(tmp_path, prices):
    (tmp_path / "views.csv").write_text("Date,Ticker,Value\n2023-01-02,AAA,1\n")
    study = load(
        tmp_path,
        prices,
        {
            "momentum": {"kind": "momentum"},
            "own": {"kind": "file", "file": "views.csv"},
            "both": {"kind": "blend", "of": {"momentum": 0.5, "own": -0.5}},
            "learnt": {"kind": "blend", "of": ["momentum", "own"], "weights": "ic"},
        },
    )
    assert study.signals["own"].file == str(tmp_path / "views.csv")
    assert study.signals["both"].parts == {"momentum": 0.5, "own": -0.5}
    assert study.signals["learnt"].parts == {"momentum": None, "own": None}
    assert study.signals["momentum"].parts == {}


@pytest.mark.parametrize(
    ("signals", "finding"),
    [
        ({"a": {"kind": "momentun"}}, "signals.a.kind: 'momentun': expected 'momentum', "),
        (
            {"a": {"window": 3, "kind": "trend"}},
            "signals.a.window: unknown key: expected one of kind, file, of, weights",
        ),
        (
            {"a": {"kind": "file"}},
            "signals.a.file: missing: expected a CSV file with the columns Date, Ticker and Value",
        ),
        ({"a": {"kind": "file", "file": "none.csv"}}, "signals.a.file: 'none.csv': expected"),
        ({"a": {"kind": "trend", "file": "x.csv"}}, "signals.a.file: 'x.csv': expected none, since the kind is trend"),
        ({"a": {"kind": "trend", "of": ["b"]}}, "signals.a.of: ['b']: expected none, since the kind is trend"),
        ({"a": {"kind": "trend", "weights": "ic"}}, "signals.a.weights: 'ic': expected none, since the kind is trend"),
        ({"a": {"kind": "blend"}}, "signals.a.of: missing: expected the signals that are blended, such as "),
        (
            {"a": {"kind": "trend"}, "b": {"kind": "blend", "of": ["a"]}},
            "signals.b.of: ['a']: expected a weight for each signal, or weights: ic",
        ),
        (
            {"a": {"kind": "trend"}, "b": {"kind": "blend", "of": ["a", "a"], "weights": "ic"}},
            "signals.b.of: ['a', 'a']: expected every signal once",
        ),
        (
            {"a": {"kind": "trend"}, "b": {"kind": "blend", "of": {"a": 1}, "weights": "ic"}},
            "signals.b.of: {'a': 1.0}: expected a list of signals beside weights: ic",
        ),
        (
            {"a": {"kind": "trend"}, "b": {"kind": "blend", "of": {"a": 0}}},
            "signals.b.of: {'a': 0.0}: expected weights other than 0",
        ),
        (
            {"momentum": {"kind": "momentum"}, "b": {"kind": "blend", "of": {"momentun": 1}}},
            "signals.b.of: 'momentun': expected a signal of the study",
        ),
        (
            {
                "a": {"kind": "trend"},
                "b": {"kind": "blend", "of": {"a": 1}},
                "c": {"kind": "blend", "of": {"b": 1}},
            },
            "signals.c.of: 'b': expected a signal that is no blend itself",
        ),
        (
            {"boosted": {"kind": "trend"}},
            "signals.boosted: expected another name, since mixes mean something else by it",
        ),
        ({"sharpe": {"kind": "trend"}}, "signals.sharpe: expected another name, since mixes mean something else by it"),
    ],
)
def test_what_means_nothing_is_refused_by_its_place(tmp_path, prices, signals, finding):
    with pytest.raises(InputError) as refused:
        load(tmp_path, prices, signals)
    assert finding in str(refused.value)
