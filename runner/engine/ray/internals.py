"""Ray internals that have no public replacement, one function each.

Ray is pinned to one minor release; `tests/engine/ray/test_internals.py` guards every function.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray._private import ray_constants
from ray._private import worker as ray_worker
from ray._private.state import actors, state
from ray.experimental import internal_kv

_LET_GO = "all references to the actor were removed"


def starts_cluster() -> bool:
    """True if this process has started the Ray that it uses."""
    node = ray_worker._global_node
    return node is not None and bool(node.is_head())


def dead_processes() -> set[str]:
    """Name the Ray processes that this process has started and that have died."""
    return {name for name, _ in ray_worker._global_node.dead_processes()}


def session_folder() -> str:
    """Path of Ray's session on this node, which lasts as long as the node."""
    return str(ray_worker._global_node.get_session_dir_path())


@contextmanager
def init_hooks_removed() -> Iterator[None]:
    """Remove the hooks that Tune adds; each would keep its study's problems in memory forever."""
    count = len(ray_worker._post_init_hooks)
    try:
        yield
    finally:
        del ray_worker._post_init_hooks[count:]


@contextmanager
def worker_output_hidden() -> Iterator[None]:
    """Hide messages about lost workers that Ray prints on the driver; Ray has no switch for them."""
    before = ray_worker.print_to_stdstream
    ray_worker.print_to_stdstream = lambda *args, **kwargs: None
    try:
        yield
    finally:
        ray_worker.print_to_stdstream = before


def lost_with_node(actor: str) -> bool | None:
    """Decide if an actor, given by its id, was lost with its node; None while Ray does not know.

    Ray knows at once that a process has ended, but needs some seconds to notice that a node is gone.
    Until then the node's actors count as alive, or as ended because Tune released them.
    """
    row = actors(actor)
    if row["Address"]["NodeID"] not in {node["NodeID"] for node in ray.nodes() if node["Alive"]}:
        return True
    unclear = row["State"] != "DEAD" or _LET_GO in str(row.get("DeathCause"))
    return None if unclear else False


def actor_id(actor: Any) -> str:
    """Id of an actor, by its handle."""
    return str(actor._actor_id.hex())


def actor_of(trial: Any) -> Any:
    """Actor handle of a Tune trial; None if it has none."""
    return trial.temporary_state.ray_actor


def keep_actors(tune_controller: Any, resources: Any, more: int) -> None:
    """Have Tune keep that many more free actors instead of stopping them."""
    tune_controller._tune_controller._actor_cache.increase_max(resources, by=more)


def trials_with_actor(tune_controller: Any) -> Any:
    """Pending Tune trials that have been given an actor already."""
    return tune_controller._tune_controller._resetting_trials


def autoscaler_groups() -> list[tuple[dict[str, float], int]] | None:
    """Resources and largest count (negative: unlimited) per node group; None if the autoscaler gives none."""
    config = state.get_cluster_config()
    if config is None or not config.node_group_configs:
        return None
    return [(dict(group.resources), group.max_count) for group in config.node_group_configs]


def launching() -> Sequence[Any]:
    """List the nodes that an autoscaler is starting; empty where there is no autoscaler."""
    with suppress(Exception):  # the autoscaler may be of another version, or silent
        status = internal_kv._internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS)
        report = json.loads(status or b"{}").get("autoscaler_report") or {}
        if coming := [*report.get("pending_launches", ()), *report.get("pending_nodes", ())]:
            return coming
    with suppress(Exception):
        from ray.autoscaler.v2.sdk import get_cluster_status

        cluster = get_cluster_status(ray.get_runtime_context().gcs_address)
        return [*cluster.pending_launches, *cluster.pending_nodes]
    return ()


@contextmanager
def tune_session(session: Any) -> Iterator[None]:
    """Make an object the session of this process that ``tune.report`` and the like talk to."""
    from ray.train._internal import session as ray_session  # workers that need no session skip the import

    before = ray_session._session
    ray_session._session = session
    try:
        yield
    finally:
        ray_session._session = before


def in_driver() -> bool:
    """True if Ray runs in this process and the process is not one of its workers."""
    return ray.is_initialized() and bool(ray.get_runtime_context().worker.mode != ray.WORKER_MODE)
