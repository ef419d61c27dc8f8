"""Dagster's records of a study: what opening them leaves behind in the process."""

import os
from pathlib import Path

import pytest
from support.lab import Lab

from pipelines.orchestration.instance import environment_of, open_instance
from sd_core.errors import InputError


def test_environment_is_the_studys_while_its_home_is_open_and_as_before_afterwards(fresh_lab: Lab) -> None:
    before = dict(os.environ)
    with open_instance(fresh_lab.home) as instance:
        assert instance.root_directory == str(fresh_lab.home.dagster_home)
        assert os.environ.items() >= environment_of(fresh_lab.home).items()
    assert dict(os.environ) == before


def test_damaged_databases_are_refused_with_the_folder_to_remove(fresh_lab: Lab) -> None:
    with open_instance(fresh_lab.home):
        pass
    databases = list(fresh_lab.home.dagster_home.rglob("*.db"))
    assert databases
    for file in databases:
        file.write_bytes(b"no database " * 1000)
    expected = f"{fresh_lab.home.dagster_home}: Dagster's records of runs are damaged: .*remove this folder"
    with pytest.raises(InputError, match=expected), open_instance(fresh_lab.home):
        pass


def test_home_may_be_called_anything_that_is_read_literally(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = Lab(fresh_lab.study_file, tmp_path / 'it\'s "1" 😀')
    with open_instance(lab.home) as instance:
        assert not instance.telemetry_enabled
        assert Path(instance.event_log_storage._base_dir).is_relative_to(lab.root)
