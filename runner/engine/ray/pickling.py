"""Pickling of problems and methods for the workers: once, with large arrays shared by a node.

The pickle is sent to each worker. Large buffers, such as the arrays of a data set, stay outside of
it: Ray's object store holds one copy per node, and every worker there reads it in place, read-only.
Small ones travel inside and belong to the worker.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

import cloudpickle

from runner.errors import ProblemError, describe
from runner.problems import Problem
from runner.problems.files.objective_files import SHARED_BYTES


@dataclass(frozen=True)
class Parcel:
    """A pickled object.

    Attributes
    ----------
    content : bytes
        The pickle, without its large buffers.
    buffers : tuple of pickle.PickleBuffer
        The large buffers, in the order in which the pickle refers to them.
    """

    content: bytes
    buffers: tuple[pickle.PickleBuffer, ...]

    @property
    def shared_bytes(self) -> int:
        """Number of bytes in the large buffers."""
        return sum(buffer.raw().nbytes for buffer in self.buffers)


def pack_problems(problems: Sequence[Problem]) -> tuple[Parcel, ...]:
    """Pickle each problem with its data; None in place of those that are never evaluated.

    Raises
    ------
    ProblemError
        If one of them cannot be pickled.
    """
    parcels: list[Parcel] = []
    for problem in problems:
        try:
            parcels.append(pack(None if problem.recalls_all else problem))
        except Exception as error:  # whatever a user's object raises
            raise ProblemError(
                f"cannot be sent to a worker: {describe(error)}.",
                where=problem.name,
                hint="Create the object inside the function, or run with --workers 0.",
            ) from None
    return tuple(parcels)


def pack(value: object) -> Parcel:
    """Pickle an object."""
    buffers: list[pickle.PickleBuffer] = []

    def inside(buffer: pickle.PickleBuffer) -> bool:
        if buffer.raw().nbytes < SHARED_BYTES:
            return True
        buffers.append(buffer)
        return False

    content = cloudpickle.dumps(value, protocol=5, buffer_callback=inside)
    return Parcel(content, tuple(buffers))
