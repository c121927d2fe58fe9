"""Methods that misbehave; a study that names this file's problem has them registered everywhere."""

import time
from dataclasses import dataclass
from typing import ClassVar

from runner.methods import Method, register
from runner.problems import problem


@register
@dataclass(frozen=True)
class Unruly(Method):
    """Proposes twice, and then does what its setting says."""

    name: ClassVar[str] = "unruly"
    summary: ClassVar[str] = "for tests"
    reference: ClassVar[str] = "none"

    deed: str = "raise"

    def propose(self, space, completed, pending, number, rng):
        """See `Method.propose`."""
        if number < 2:
            return space.sample(rng)
        if self.deed == "raise":
            raise RuntimeError("no more ideas")
        if self.deed == "exit":
            raise SystemExit(4)
        if self.deed == "outside":
            return {"x": 17.0}
        if self.deed == "nonsense":
            return "anything"
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue


@problem(space={"x": {"float": [0, 1]}})
def calm(config):
    """Nothing special."""
    return config["x"]
