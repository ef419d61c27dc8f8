"""The description of a cluster of containers, as far as it can be read without them."""

import stat
from pathlib import Path

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


def test_scripts_can_be_run():
    for name in ("up", "down"):
        assert Path(DEPLOY / name).stat().st_mode & stat.S_IXUSR
