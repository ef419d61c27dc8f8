"""The description of a cluster of containers, as far as it can be read without them."""

import stat
from pathlib import Path

import pytest
from cluster import Cluster
from ruamel.yaml import YAML
from support.lab import PROJECT

DEPLOY = PROJECT / "deploy"
COMPOSE = YAML(typ="safe", pure=True).load(DEPLOY / "compose.yaml")


def test_head_and_worker_are_one_image_and_bounded():
    head, worker = COMPOSE["services"]["head"], COMPOSE["services"]["worker"]
    assert head["image"] == worker["image"]
    assert head["build"] == worker["build"]
    assert (DEPLOY / head["build"]["context"] / head["build"]["dockerfile"]).is_file()
    for node in (head, worker):
        assert node["mem_limit"]
        assert "--object-store-memory=" in node["command"]


def test_no_port_is_published():
    for node in COMPOSE["services"].values():
        assert not {"ports", "network_mode"} & node.keys()
        assert node["networks"] == ["cluster"]


def test_both_ask_for_the_token_and_the_worker_for_the_head():
    assert all(node["secrets"] == ["token"] for node in COMPOSE["services"].values())
    head = COMPOSE["services"]["head"]
    assert head["environment"]["SD_WORKERS"] == f"{head['hostname']}:6402"
    assert "--address=head:6402" in COMPOSE["services"]["worker"]["command"]
    assert "--port=6402" in head["command"]


def test_nodes_are_started_by_options_that_a_cluster_here_is_started_by():
    ray = pytest.importorskip("ray.scripts.scripts")
    here = Cluster(Path("unused"), 6402, lake=None)
    for service, name in (("head", "head"), ("worker", "worker-1")):
        program, command, *options = COMPOSE["services"][service]["command"].split()
        assert (program, command) == ("ray", "start")
        assert names(options) <= names(here._node_command(name, cores=1))
        assert ray.start.make_context(command, options)  # refuses what it does not know, and values of other types
    with pytest.raises(Exception, match="No such option"):
        ray.start.make_context("start", ["--object-memory=1"])


def names(options: list[str]) -> set[str]:
    return {option.partition("=")[0] for option in options}


def test_scripts_can_be_run():
    for name in ("up", "down"):
        assert Path(DEPLOY / name).stat().st_mode & stat.S_IXUSR
