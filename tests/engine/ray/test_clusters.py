"""A cluster of three nodes on this machine: what reaches them, what they are asked for, and their loss."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.engine.ray import on_a_cluster

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

OBJECTIVE = '''
import json
import os
import sys
import time

import numpy as np
import ray

from runner import data_file, problem

LARGE = np.arange(400_000.0)
STEPS = "THE FOLDER OF STEPS"  # where long trials say how far they are, by node


def node():
    return int(ray.get_runtime_context().get_node_id()[:12], 16) if ray.is_initialized() else 0


def mapped(array):
    """Where a mapped file holds it: the same for all processes that share it."""
    address = array.__array_interface__["data"][0]
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, _, offset, _, inode, *_ = line.split()
            first, last = (int(part, 16) for part in span.split("-"))
            if first <= address < last and inode != "0":
                return int(inode), int(offset, 16) + address - first
    return 0, 0


@problem(space={"x": {"float": [0, 1]}})
def somewhere(config, seed):
    import beside  # late, and only here

    time.sleep(0.1)
    path = data_file("numbers.txt")
    inode, offset = mapped(LARGE)
    return {
        "loss": config["x"] + sum(map(float, path.read_text().split())) + beside.ONE + LARGE[seed % 1000],
        "node": node(), "pid": os.getpid(), "file": path.stat().st_ino,
        "sent": float("session_" in str(path)), "module": float("session_" in beside.__file__),
        "array": inode, "offset": offset,
    }


@problem(space={"x": {"float": [0, 1]}})
def fast(config):
    time.sleep(0.05)
    return {"loss": config["x"], "node": node(), "pid": os.getpid()}


graphic = problem(space={"x": {"float": [0, 1]}}, name="graphic")(fast.function)


@problem(space={"x": {"float": [0, 1]}}, steps=10)
def long(config, checkpoint_dir):
    path = checkpoint_dir / "state"
    begun = step = int(path.read_text()) if path.exists() else 0
    while step < 10:
        time.sleep(float(os.environ.get("STEP_SECONDS", 0.12)))
        step += 1
        path.write_text(str(step))
        if os.path.isdir(STEPS):
            with open(f"{STEPS}/{node()}", "w") as file:
                file.write(str(step))
        yield {"loss": config["x"] / step, "node": node(), "begun": begun}
'''


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What came out of `on_a_cluster`."""
    folder = tmp_path_factory.mktemp("cluster")
    files = folder / "files"
    files.mkdir()
    (folder / "steps").mkdir()
    (files / "objective.py").write_text(OBJECTIVE.replace("THE FOLDER OF STEPS", str(folder / "steps")))
    (files / "beside.py").write_text("from other import ONE\n")
    (files / "other.py").write_text("ONE = 1.0\n")
    (files / "numbers.txt").write_text("1 2 3\n")
    # The address of a cluster is written where others would find it, so it gets a place of its own,
    # with a short name, as the names of sockets must be.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as place:
        Path(place, "ray").mkdir()
        done = subprocess.run(
            [sys.executable, on_a_cluster.__file__, str(folder)],
            capture_output=True,
            text=True,
            cwd=place,
            env=os.environ | {"RAY_TMPDIR": place},
            timeout=570,
        )
    assert done.returncode == 0, done.stderr[-5000:]
    print(done.stdout)
    return json.loads((folder / "found.json").read_text())


def by_node(rows, *keys):
    """For each node the values that its trials have told."""
    told = {}
    for node, *values in zip(rows["metrics/node"], *(rows[f"metrics/{key}"] for key in keys), strict=True):
        told.setdefault(node, set()).add(tuple(values))
    return told


def test_files_modules_and_arrays_are_on_every_node_once(found):
    rows = found["everywhere"]
    assert set(rows["status"]) == {"COMPLETED"}, rows["error"]
    assert len(set(rows["metrics/pid"])) == 4
    files = by_node(rows, "file", "sent", "module")
    assert len(files) == 3
    assert {len(values) for values in files.values()} == {1}, "all workers of a node see one file"
    places = [next(iter(values)) for values in files.values()]
    assert len({place[0] for place in places}) == 3, "and each node has its own"
    assert sorted(place[1:] for place in places) == [(0, 0), (1, 1), (1, 1)], "the driver's uses the original"
    arrays = by_node(rows, "array", "offset")
    assert {len(values) for values in arrays.values()} == {1}, "all workers of a node map one array"
    assert all(next(iter(values))[0] for values in arrays.values())
    assert rows["same"]


def test_trials_run_where_there_is_what_they_need(found):
    rows = found["needs"]
    assert set(rows["status"]) == {"COMPLETED"}
    where = {}
    for problem, node, pid in zip(rows["problem"], rows["metrics/node"], rows["metrics/pid"], strict=True):
        where.setdefault(problem, set()).add((node, pid))
    assert {len({node for node, _ in places}) for places in where.values()} == {1}
    assert len({node for places in where.values() for node, _ in places}) == 2
    assert rows["same"]


def test_what_the_nodes_cannot_give_is_said(found):
    (nodes, seconds), (rare, _) = found["too much"]
    assert (
        "a trial needs 3 CPUs on one node; the Ray of this process has 4 CPUs in all, but no node has"
        in nodes
    )
    assert "has no resource 'rare' (it has fast)" in rare
    assert seconds < 30


def test_a_node_that_joins_works_and_one_that_is_lost_costs_a_second_try(found):
    rows = found["growth and loss"]
    assert set(rows["status"]) == {"COMPLETED"}
    assert len(set(rows["metrics/node"])) == 4
    again = [text for text in rows["earlier"] if text]
    assert 1 <= len(again) <= 2, "what was on the two workers of the node that was lost"
    assert all("its node was lost." in text for text in again)
    begun = Counter(rows["metrics/begun"])
    assert sum(begun.values()) - begun[0] >= 1, "it goes on from its checkpoint, on another node"
    assert rows["left"] == 0
    assert rows["same"]


def test_another_driver_goes_on_from_a_copy(found):
    assert 5 <= found["another head"]["before"] < 20
    assert found["another head"]["same"]


def test_an_autoscaler_is_asked_for_what_no_node_has(found):
    rows = found["autoscaled"]
    assert set(rows["status"]) == {"COMPLETED"}
    assert "Waiting for the cluster to grow: no node has room for a trial yet." in rows["notes"]
    assert rows["left"] == 0
