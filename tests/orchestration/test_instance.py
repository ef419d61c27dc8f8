"""Dagster's records of a study: what opening them leaves behind in the process."""

import os

from support.lab import Lab

from pipelines.orchestration.instance import environment_of, open_instance


def test_environment_is_the_studys_while_its_home_is_open_and_as_before_afterwards(fresh_lab: Lab) -> None:
    before = dict(os.environ)
    with open_instance(fresh_lab.home) as instance:
        assert instance.root_directory == str(fresh_lab.home.dagster_home)
        assert os.environ.items() >= environment_of(fresh_lab.home).items()
    assert dict(os.environ) == before
