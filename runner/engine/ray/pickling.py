"""Problems and methods on their way to the lanes: pickled once, large arrays shared by a node.

What is pickled goes to each lane. Large buffers, such as the arrays of a data set, stay outside of
it: Ray's object store holds one copy per node, and every lane there sees it in place, read-only.
Small ones travel inside and belong to the lane.
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
    """One pickled thing.

    Attributes
    ----------
    content : bytes
        The pickle, without its large buffers.
    buffers : tuple of buffers
        The large ones, in the order in which the pickle asks for them: `pickle.PickleBuffer` on
        the driver, what Ray's object store gives on a lane.
    """

    content: bytes
    buffers: tuple[pickle.PickleBuffer, ...]

    @property
    def shared_bytes(self) -> int:
        """How many bytes are to be shared."""
        return sum(buffer.raw().nbytes for buffer in self.buffers)


def pack_problems(problems: Sequence[Problem]) -> tuple[Parcel, ...]:
    """The problems with their data, one by one; nothing (None) of those that are never evaluated.

    Raises
    ------
    ProblemError
        Where one of them cannot be pickled.
    """
    parcels: list[Parcel] = []
    for problem in problems:
        try:
            parcels.append(pack(None if problem.recalls_all else problem))
        except Exception as error:  # whatever a user's object raises
            raise ProblemError(
                f"it cannot be sent to a worker: {describe(error)}.",
                where=problem.name,
                hint="Make what it holds inside the function, or run it with 0 workers.",
            ) from None
    return tuple(parcels)


def pack(thing: object) -> Parcel:
    """A thing as a parcel."""
    buffers: list[pickle.PickleBuffer] = []

    def inside(buffer: pickle.PickleBuffer) -> bool:
        if buffer.raw().nbytes < SHARED_BYTES:
            return True
        buffers.append(buffer)
        return False

    content = cloudpickle.dumps(thing, protocol=5, buffer_callback=inside)
    return Parcel(content, tuple(buffers))
