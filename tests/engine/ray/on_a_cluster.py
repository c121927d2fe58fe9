"""What test_clusters runs in a process of its own: one cluster of three nodes, one study after the other.

    python on_a_cluster.py FOLDER

In FOLDER lie ``files/objective.py`` and what it needs. What came out is written there, as JSON.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import ray
from ray._private.node import Node
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2
from ray.experimental import internal_kv
from ray.util.placement_group import placement_group_table

from runner import Results, Study, run
from runner.engine.monitor import Monitor
from runner.engine.ray import autoscaling as growth
from runner.errors import EngineError, StudyInterrupted

STORE = 80_000_000
FOLDER = Path(sys.argv[1] if __name__ == "__main__" else ".")
COLUMNS = ["run", "number", "config", "status", "loss", "steps", "known"]


def node(cluster, **resources):
    return cluster.add_node(object_store_memory=STORE, **resources)


def study(name, problems, **keys):
    given = {"methods": ["random"], "seeds": 2, "budget": {"trials": 20}, "files": ["numbers.txt"]}
    named = [f"objective.py:{problem}" for problem in problems]
    return Study.build(folder=FOLDER / "files", name=name, problems=named, **given | keys)


def told(folder):
    """The rows of a study, and whether they are those of the same study in this process."""
    trials = Results.open(folder).trials
    columns = ["problem", "status", "attempts", "earlier", "error"]
    columns += [column for column in trials if column.startswith("metrics/")]
    return {column: [None if pd.isna(x) else x for x in trials[column]] for column in columns}


def same(made, folder):
    """Whether it is the table of this process."""
    here = FOLDER / "here" / folder.name
    os.environ["STEP_SECONDS"] = "0"
    run(made, here, workers=0)
    del os.environ["STEP_SECONDS"]
    tables = [Results.open(one).trials[COLUMNS].to_json() for one in (here, folder)]
    return tables[0] == tables[1]


def everywhere(cluster):
    """Files, modules and a large array on three nodes."""
    made = study("everywhere", ["somewhere"], budget={"trials": 30})
    run(made, FOLDER / "everywhere")
    return told(FOLDER / "everywhere") | {"same": same(made, FOLDER / "everywhere")}


def needs(cluster):
    """Each of two problems runs where there is what it needs."""
    trial = {"problems": {"fast": {"resources": {"fast": 1}}, "graphic": {"cpus": 0.5, "gpus": 0.5}}}
    made = study("needs", ["fast", "graphic"], trial=trial, budget={"trials": 6})
    run(made, FOLDER / "needs")
    return told(FOLDER / "needs") | {"same": same(made, FOLDER / "needs")}


def too_much(cluster):
    """What nothing could have, and what no single node has."""
    growth.PATIENCE_SECONDS = 1.0
    said = []
    for trial in ({"cpus": 3}, {"resources": {"rare": 1}}):
        begun = time.monotonic()
        try:
            run(study("too-much", ["fast"], trial=trial), FOLDER / "too-much")
        except EngineError as error:
            said.append([str(error), time.monotonic() - begun])
    return said


class Weather(Monitor):
    """A node joins, and when it has ended a trial the first one is lost, in the midst of another."""

    def __init__(self, cluster, victim):
        self.cluster, self.victim, self.new, self.thread = cluster, victim, None, None

    def ended(self, index, trial):
        if self.new is None:
            self.new = node(self.cluster, num_cpus=2)
        elif self.thread is None and trial.outcome.metrics["node"] == number(self.new):
            self.thread = threading.Thread(target=self.lose)
            self.thread.start()

    def lose(self):
        step = FOLDER / "steps" / str(number(self.victim))
        while step.read_text() not in {"4", "5", "6"}:
            time.sleep(0.02)
        self.cluster.remove_node(self.victim, allow_graceful=False)


def number(of):
    """A node as its trials tell it."""
    return int(of.node_id[:12], 16)


def growth_and_loss(cluster, victim):
    """Long trials, with checkpoints that every node reaches."""
    made = study("weather", ["long"], seeds=8, budget={"trials": 12})
    weather = Weather(cluster, victim)
    run(made, FOLDER / "weather", monitor=weather, storage=str(FOLDER / "kept"))
    weather.thread.join()
    found = told(FOLDER / "weather") | {"same": same(made, FOLDER / "weather")}
    found["left"] = sum(path.is_file() for path in (FOLDER / "kept").rglob("*"))
    cluster.remove_node(weather.new)
    return found


class Interrupt(Monitor):
    """As if somebody pressed Ctrl-C."""

    def __init__(self):
        self.left = 5

    def ended(self, index, trial):
        self.left -= 1
        if not self.left:
            signal.raise_signal(signal.SIGINT)


def another_head(cluster):
    """The driver stops, its directory is copied, and another one goes on."""
    made = study("moved", ["somewhere"], budget={"trials": 10})
    try:
        run(made, FOLDER / "moved", workers=2, monitor=Interrupt())
        return "it was not interrupted"
    except StudyInterrupted:
        before = len(Results.open(FOLDER / "moved").trials)
    shutil.copytree(FOLDER / "moved", FOLDER / "copied")
    run(made, FOLDER / "copied", workers=1)
    return {"before": before, "same": same(made, FOLDER / "copied")}


def autoscaled(cluster):
    """A resource that no node has, and that an autoscaler says it can add; this plays one."""
    group = {"name": "rare", "resources": {"CPU": 1, "rare": 2}, "max_count": 1}
    internal_kv._internal_kv_put(
        b"__autoscaler_cluster_config",
        autoscaler_pb2.ClusterConfig(node_group_configs=[group]).SerializeToString(),
        namespace=b"__autoscaler",
    )
    requests = []

    def scale():
        while not requests:
            time.sleep(0.2)
            requests.extend(
                row["bundles"] for row in placement_group_table().values() if row["state"] == "PENDING"
            )
        Node._register_shutdown_hooks = lambda self: None  # they want the main thread, which waits
        node(cluster, num_cpus=1, resources={"rare": 2})
        over.wait()  # a node's processes end with the thread that has started them

    over = threading.Event()
    threading.Thread(target=scale, daemon=True).start()
    notes = Notes()
    made = study("scaled", ["fast"], trial={"cpus": 0.5, "resources": {"rare": 1}}, budget={"trials": 2})
    run(made, FOLDER / "scaled", monitor=notes)
    states = [row["state"] for row in placement_group_table().values()]
    over.set()
    return told(FOLDER / "scaled") | {"notes": notes.texts, "left": states.count("PENDING")}


class Notes(Monitor):
    """What the user is told."""

    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def main():
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE})
    victim = node(cluster, num_cpus=2, resources={"fast": 2})
    node(cluster, num_cpus=1, num_gpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    found = {}
    for name, play in {
        "everywhere": everywhere,
        "needs": needs,
        "too much": too_much,
        "growth and loss": lambda cluster: growth_and_loss(cluster, victim),
        "another head": another_head,
        "autoscaled": autoscaled,
    }.items():
        begun = time.monotonic()
        found[name] = play(cluster)
        (FOLDER / "found.json").write_text(json.dumps(found))
        print(f"{name}: {time.monotonic() - begun:.1f} s", flush=True)
    found["nodes"] = len(ray.nodes())
    (FOLDER / "found.json").write_text(json.dumps(found))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
