"""Fetching what a lane that died has left, from the machine on which it ran."""

from __future__ import annotations

from pathlib import Path

import ray
from ray._private import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runner.engine.messages import Rescued
from runner.engine.worker.guard import rescue

_PATIENCE_SECONDS = 5.0
_LET_GO = "all references to the actor were removed"

DOUBT_SECONDS = 30.0
"""After a lane was lost; by then Ray knows in most cases whether its node is there."""


def salvage(folder: Path, bundle: str) -> Rescued | None:
    """What is left of a bundle on this machine, or else on any other of the cluster.

    None where there is nothing; then the machine may be lost, too.
    """
    if (left := rescue(folder, bundle)) is not None:
        return left
    here = ray.get_runtime_context().get_node_id()
    others = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] != here]
    if not others:
        return None
    look = ray.remote(num_cpus=0, max_retries=0)(rescue)
    asked = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            folder, bundle
        )
        for node in others
    ]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=_PATIENCE_SECONDS)
    for answer in ready:
        try:
            found: Rescued | None = ray.get(answer)
        except ray.exceptions.RayError:  # that machine went while it was asked
            continue
        if found is not None:
            return found
    return None


def went_with_its_node(actor: str) -> bool | None:
    """Whether an actor was lost with its node, by the actor's number; None while Ray does not know.

    That a process has ended is known at once; that a node is gone takes Ray some seconds. Until then
    its actors are held to be alive, or to have ended because Tune let go of them.
    """
    told = state.actors(actor)  # internal
    if told["Address"]["NodeID"] not in {node["NodeID"] for node in ray.nodes() if node["Alive"]}:
        return True
    unclear = told["State"] != "DEAD" or _LET_GO in str(told.get("DeathCause"))
    return None if unclear else False
