"""Autoscaling: the nodes that a cluster could add, and requests for them.

An autoscaler adds nodes for resource requests that have no room. Batches are not sent to Tune beyond the
existing room, because a batch that waits for a node holds up its run. So the driver keeps placement groups of
one trial each as requests, which are removed as soon as they are granted, and with the driver, however that
ends. (`request_resources` would outlive a driver that was killed, and so would its nodes.)

The nodes that an autoscaler could add are known if it reports them, or from its configuration, which is on
the head node of a cluster made by ``ray up``. Elsewhere (on Kubernetes) one has to wait and see.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table
from ray.util.placement_group import remove_placement_group as take_back

from runner.engine.ray.connect import Connection
from runner.engine.ray.internals import autoscaler_groups, launching
from runner.study.resources import Needs, NodeResources

PATIENCE_SECONDS = 20.0
"""Time for an unknown autoscaler to begin with a node that a trial fits; most look every 5 s."""

MOST_REQUESTS = 64  # each is a placement group that Ray's GCS has to keep; chosen, not measured
_LOOK_SECONDS = 0.5
_CONFIGURATION = Path("~/ray_bootstrap_config.yaml")  # written by ``ray up``


class RoomRequests:
    """Requests for room for more trials.

    Attributes
    ----------
    open : list of PlacementGroup
        Requests that are not granted.
    """

    def __init__(self) -> None:
        self.open: list[PlacementGroup] = []

    def keep(self, count: int, needs: Needs) -> None:
        """Keep that many open; release those that were granted for the workers."""
        with suppress(ray.exceptions.RayError):  # a failed request must not end a study
            self._keep(count, needs)

    def _keep(self, count: int, needs: Needs) -> None:
        if self.open:
            states = {key: row["state"] for key, row in placement_group_table().items()}
            for request in list(self.open):
                if states.get(request.id.hex()) != "PENDING":
                    self._drop(request)
        while len(self.open) > count:
            self._drop(self.open[-1])
        while len(self.open) < count:
            self.open.append(placement_group([needs.amounts]))  # without a name, which Ray allows only once

    def _drop(self, request: PlacementGroup) -> None:
        self.open.remove(request)
        take_back(request)


def additional_trials(connection: Connection, width: int) -> int:
    """Compute for how many more trials to request room.

    As many as there are workers, so that a cluster doubles while its nodes start, but no more than could
    be used, or added as far as that is known.

    Parameters
    ----------
    width : int
        Number of trials that could be evaluated at once.
    """
    if connection.ours:
        return 0
    most = min(max(1, connection.room), MOST_REQUESTS, width - connection.room)
    if connection.most_workers is not None:
        most = min(most, connection.most_workers - connection.room)
    if (types := node_types()) is not None and most > 0:
        most = min(most, sum(connection.needs.on(node) * count for node, count in types))
    return max(0, most)


def node_types() -> list[tuple[NodeResources, int]] | None:
    """List the kinds of node that an autoscaler could add, and the number of each; None if unknown."""
    groups = autoscaler_groups()
    if groups is not None:
        return [(node, count if count >= 0 else MOST_REQUESTS) for node, count in groups]
    try:
        return types_of(yaml.safe_load(_CONFIGURATION.expanduser().read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return None


def types_of(configuration: Any) -> list[tuple[NodeResources, int]]:
    """Read the same from an autoscaler's configuration."""
    return [
        ({key: float(x) for key, x in kind.get("resources", {}).items()}, int(kind.get("max_workers", 0)))
        for name, kind in configuration["available_node_types"].items()
        if name != configuration.get("head_node_type")
    ]


def await_room(connection: Connection, note: Callable[[str], None]) -> None:
    """Return when there is room for one trial, or a node is starting that has room.

    Raises
    ------
    EngineError
        If there can be no such node; within half a minute.
    """
    if connection.room or connection.ours:
        return
    types = node_types()
    if types is not None:
        could = [node for node, count in types if count > 0]
        if not connection.needs.room(could):
            raise connection.too_small([*connection.nodes, *could])
    else:
        _probe_autoscaler(connection)
    if not connection.room:
        note("Waiting for the cluster to grow: no node has room for a trial yet.")


def _probe_autoscaler(connection: Connection) -> None:
    """Request room for a trial from an autoscaler that may exist, and see if a node starts."""
    requests = RoomRequests()
    until = time.monotonic() + PATIENCE_SECONDS
    try:
        while time.monotonic() < until:
            requests.keep(1, connection.needs)
            time.sleep(_LOOK_SECONDS)
            connection.look()
            if connection.room or launching():
                return
    finally:
        requests.keep(0, connection.needs)
    raise connection.too_small(connection.nodes)
