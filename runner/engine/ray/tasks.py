"""Parallel calls of one function as Ray tasks, without a journal: the folds of `SearchCV`.

The shared argument is put into the object store once, not sent with each call. A worker that dies is one
failed call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ray

from runner.engine.ray.internals import in_driver
from runner.errors import describe


def on_ray() -> bool:
    """Return True if Ray runs in this process, and the process is not one of its workers.

    A worker that waited for tasks of its own could hold the CPUs that they need.
    """
    return in_driver()


class Tasks:
    """Calls of one function on Ray.

    Parameters
    ----------
    function : callable
        Called with the shared object and one item.
    workers : int
        Largest number of calls at once.
    lost : callable
        From an item and a message to the result of a call whose worker has died.
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
        """Return the results, in the order of the items.

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
            results[position] = self._lost(item, describe(error).splitlines()[0])


def cluster_cpus() -> int:
    """Number of calls that the whole cluster has CPUs for."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
