"""Rules of many scenarios at once are those of each by itself."""

from pathlib import Path

import numpy as np
from support.lab import small_study, write_prices, write_study

from sd_core.simulation.rules import resolve, resolve_all
from sd_core.study.loading import load_study


def test_rules_of_many_scenarios_are_those_of_each(tmp_path: Path) -> None:
    strategies = {"buy_and_hold": {}, "banded": {"rule": {"sd_n": [4, 8]}, "band": {"width": 0.1}}}
    written = small_study(write_prices(tmp_path / "prices")) | {"strategies": strategies, "reserves": [0.0, 0.1, 0.3]}
    study = load_study(write_study(tmp_path / "small.yaml", written))
    assert len(study.scenarios) == 9
    for scenario, found in zip(study.scenarios, resolve_all(study, study.scenarios), strict=True):
        expected = vars(resolve(study, scenario))
        targets, weights = vars(found)["targets"].weights, expected.pop("targets").weights
        np.testing.assert_array_equal(targets, weights)
        assert found.reserve == scenario.reserve
        assert {name: np.asarray(vars(found)[name]).tolist() for name in expected} == {
            name: np.asarray(value).tolist() for name, value in expected.items()
        }
