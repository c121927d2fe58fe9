"""Fetching the ledger of a worker that died from the machine on which it ran."""

from __future__ import annotations

from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runner.engine.messages import Rescued
from runner.engine.worker.guard import rescue

_PATIENCE_SECONDS = 5.0  # for nodes that do not answer; the dispatcher waits meanwhile

DOUBT_SECONDS = 30.0
"""Time after the loss of a worker for Ray to notice that its node is gone; then it counts as a crash."""


def fetch_rescued(folder: Path, batch: str) -> Rescued | None:
    """Fetch the remains of a batch from this machine, or else from any other of the cluster.

    None if there are none; the machine may be lost, too.
    """
    if (here := rescue(folder, batch)) is not None:
        return here
    own = ray.get_runtime_context().get_node_id()
    others = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] != own]
    if not others:
        return None
    look = ray.remote(num_cpus=0, max_retries=0)(rescue)
    answers = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            folder, batch
        )
        for node in others
    ]
    ready, _ = ray.wait(answers, num_returns=len(answers), timeout=_PATIENCE_SECONDS)
    for answer in ready:
        try:
            rescued: Rescued | None = ray.get(answer)
        except ray.exceptions.RayError:  # that machine was lost meanwhile
            continue
        if rescued is not None:
            return rescued
    return None
