"""A cluster that may grow: what could be added to it, and how it is asked for more.

An autoscaler adds nodes for what is asked for and has no room. Bundles are not asked for beyond the
room that there is, since a bundle that waits for a node holds up its run. So the driver asks with
*wishes*: placement groups of one trial each, which go as soon as they are granted, and with the driver,
however that ends. (`request_resources` would outlive a driver that was killed, and so would its nodes.)

What an autoscaler could add is known where it says so, or where its configuration lies, which is on the
head of a cluster that ``ray up`` has made. Elsewhere (on Kubernetes) it is seen by what it does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
import yaml
from ray._private import ray_constants
from ray._private.state import state
from ray.experimental import internal_kv
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table
from ray.util.placement_group import remove_placement_group as take_back

from runner.engine.ray.connect import Connection
from runner.study.resources import Needs, NodeResources

PATIENCE_SECONDS = 20.0
"""In which an autoscaler of unknown means has to begin with a node that a trial fits."""

MOST_WISHES = 64
_LOOK_SECONDS = 0.5
_CONFIGURATION = Path("~/ray_bootstrap_config.yaml")  # where ``ray up`` leaves it


class Wishes:
    """Room for trials that is asked for and not there.

    Attributes
    ----------
    open : list of PlacementGroup
    """

    def __init__(self) -> None:
        self.open: list[PlacementGroup] = []

    def keep(self, count: int, needs: Needs) -> None:
        """Have so many open; those that were granted are given back for the lanes."""
        with suppress(ray.exceptions.RayError):  # a wish that fails is no reason to end a study
            self._keep(count, needs)

    def _keep(self, count: int, needs: Needs) -> None:
        if self.open:
            states = {key: row["state"] for key, row in placement_group_table().items()}
            for wish in list(self.open):
                if states.get(wish.id.hex()) != "PENDING":
                    self._drop(wish)
        while len(self.open) > count:
            self._drop(self.open[-1])
        while len(self.open) < count:
            self.open.append(placement_group([needs.amounts]))  # no name: Ray wants it used once only

    def _drop(self, wish: PlacementGroup) -> None:
        self.open.remove(wish)
        take_back(wish)


def wanted(connection: Connection, width: int) -> int:
    """How many trials more should have room.

    As many as there are lanes, so that a cluster doubles while its nodes come, and no more than could
    be used, or added as far as that is known.

    Parameters
    ----------
    connection : Connection
    width : int
        How many trials could be evaluated at once.
    """
    if connection.ours:
        return 0
    most = min(max(1, connection.room), MOST_WISHES, width - connection.room)
    if connection.workers is not None:
        most = min(most, connection.workers - connection.room)
    if (types := node_types()) is not None and most > 0:
        most = min(most, sum(connection.needs.on(node) * count for node, count in types))
    return max(0, most)


def node_types() -> list[tuple[NodeResources, int]] | None:
    """The kinds of node that an autoscaler could add, and how many of each; None where nobody says."""
    found = state.get_cluster_config()
    if found is not None and found.node_group_configs:
        return [
            (dict(group.resources), group.max_count if group.max_count >= 0 else MOST_WISHES)
            for group in found.node_group_configs
        ]
    try:
        given = yaml.safe_load(_CONFIGURATION.expanduser().read_text(encoding="utf-8"))
        return types_of(given)
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return None


def types_of(given: Any) -> list[tuple[NodeResources, int]]:
    """The same of an autoscaler's configuration."""
    return [
        ({key: float(x) for key, x in kind.get("resources", {}).items()}, int(kind.get("max_workers", 0)))
        for name, kind in given["available_node_types"].items()
        if name != given.get("head_node_type")
    ]


def await_room(connection: Connection, note: Callable[[str], None]) -> None:
    """Return when there is room for one trial, or when a node is on its way on which there is.

    Raises
    ------
    EngineError
        Where none can come; within half a minute.
    """
    if connection.room or connection.ours:
        return
    types = node_types()
    if types is not None:
        could = [node for node, count in types if count > 0]
        if not connection.needs.room(could):
            raise connection.too_small([*connection.nodes, *could])
    else:
        _see_what_comes(connection)
    if not connection.room:
        note("Waiting for the cluster to grow: no node has room for a trial yet.")


def _see_what_comes(connection: Connection) -> None:
    """Ask an autoscaler whose means nobody tells, if there is one."""
    wishes = Wishes()
    until = time.monotonic() + PATIENCE_SECONDS
    try:
        while time.monotonic() < until:
            wishes.keep(1, connection.needs)
            time.sleep(_LOOK_SECONDS)
            connection.look()
            if connection.room or launching():
                return
    finally:
        wishes.keep(0, connection.needs)
    raise connection.too_small(connection.nodes)


def launching() -> Sequence[Any]:
    """What an autoscaler says that it is starting; nothing where there is none."""
    with suppress(Exception):  # it may be of another version, or be silent
        told = internal_kv._internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS)
        report = json.loads(told or b"{}").get("autoscaler_report") or {}
        if coming := [*report.get("pending_launches", ()), *report.get("pending_nodes", ())]:
            return coming
    with suppress(Exception):
        from ray.autoscaler.v2.sdk import get_cluster_status

        status = get_cluster_status(ray.get_runtime_context().gcs_address)
        return [*status.pending_launches, *status.pending_nodes]
    return ()
