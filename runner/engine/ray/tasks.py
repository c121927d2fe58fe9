"""Many calls of one function as Ray tasks, for what needs no journal: the folds of `SearchCV`.

What the calls share is put into the object store once, not sent with each of them. A worker that
dies is one failed call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ray

from runner.errors import describe


def on_ray() -> bool:
    """Whether Ray runs in this process, and the process is no worker of it.

    A worker that waited for tasks of its own could hold the CPUs that they need.
    """
    if not ray.is_initialized():
        return False
    return bool(ray.get_runtime_context().worker.mode != ray.WORKER_MODE)


class Tasks:
    """Calls of one function on Ray.

    Parameters
    ----------
    function : callable
        Called with what is shared and one item.
    shared : object
        The same for all calls.
    workers : int
        How many calls at once, at the most.
    lost : callable
        From an item and a sentence to the result of a call whose worker has died.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        shared: Any,
        workers: int,
        lost: Callable[[Any, str], Any],
    ) -> None:
        self._remote = ray.remote(num_cpus=1, max_retries=0)(function)
        self._shared = ray.put(shared)
        self._most, self._lost = workers, lost

    def map(self, items: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items.

        Raises
        ------
        Exception
            Whatever a call raises.
        """
        results: dict[int, Any] = {}
        flying: dict[Any, tuple[int, Any]] = {}
        for position, item in enumerate(items):
            if len(flying) >= self._most:
                self._take(flying, results)
            flying[self._remote.remote(self._shared, item)] = position, item
        while flying:
            self._take(flying, results)
        return [results[position] for position in sorted(results)]

    def _take(self, flying: dict[Any, tuple[int, Any]], results: dict[int, Any]) -> None:
        (reference, *_), _ = ray.wait(list(flying), num_returns=1)
        position, item = flying.pop(reference)
        try:
            results[position] = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            text = describe(error).splitlines()[0]
            results[position] = self._lost(item, text)


def cluster_cpus() -> int:
    """How many calls the whole cluster has CPUs for."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
