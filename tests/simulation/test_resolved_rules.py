"""Rules of many scenarios at once are those of each by itself."""

from pathlib import Path

import numpy as np
import pytest
from support.lab import small_study, write_prices, write_study

from sd_core.simulation import rules
from sd_core.simulation.rules import resolve, resolve_all
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario


def written(folder: Path) -> Study:
    strategies = {"buy_and_hold": {}, "banded": {"rule": {"sd_n": [4, 8]}, "band": {"width": 0.1}}}
    keys = small_study(write_prices(folder / "prices")) | {"strategies": strategies, "reserves": [0.0, 0.1, 0.3]}
    return load_study(write_study(folder / "small.yaml", keys))


def test_rules_of_many_scenarios_are_those_of_each(tmp_path: Path) -> None:
    study = written(tmp_path)
    assert len(study.scenarios) == 9
    for scenario, found in zip(study.scenarios, resolve_all(study, study.scenarios), strict=True):
        expected = vars(resolve(study, scenario))
        targets, weights = vars(found)["targets"].weights, expected.pop("targets").weights
        np.testing.assert_array_equal(targets, weights)
        assert found.reserve == scenario.reserve
        assert {name: np.asarray(vars(found)[name]).tolist() for name in expected} == {
            name: np.asarray(value).tolist() for name, value in expected.items()
        }


def test_each_strategy_is_resolved_once_for_all_reserves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, resolved = written(tmp_path), []

    def count(of: Study, scenario: Scenario) -> rules.Rules:
        resolved.append(scenario.strategy)
        return resolve(of, scenario)

    monkeypatch.setattr(rules, "resolve", count)
    assert len(list(resolve_all(study, study.scenarios))) == 9
    assert resolved == list(study.strategies)
