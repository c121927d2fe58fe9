"""A run within the process, with trials that end in an order of their own.

Each trial lasts as long as its number says, the same for every method, so that results arrive
asynchronously, as they do on workers, and each method has to propose while others are in flight.
"""

from __future__ import annotations

import heapq
import time

from runner.seeds import rng_for


class Asker:
    """Source of configs that receives losses; None is a failed trial."""

    def ask(self):
        """(a token, a config)."""
        raise NotImplementedError

    def tell(self, token, config, loss):
        raise NotImplementedError

    def know(self, config, loss):
        """Enter a result from elsewhere."""
        raise NotImplementedError


def asynchronous(asker, objective, trials, parallel, seed):
    """Losses in the order of the proposals, and seconds of each proposal.

    Durations are log-normal with a standard deviation of the logarithm of 0.5.
    """
    rng = rng_for("durations", seed)
    durations = rng.lognormal(0.0, 0.5, trials)
    flying, now, losses, seconds = [], 0.0, [], []
    for number in range(trials):
        if len(flying) == parallel:
            now, _, token, config, loss = heapq.heappop(flying)
            begin = time.perf_counter()
            asker.tell(token, config, loss)
            telling = time.perf_counter() - begin
        else:
            telling = 0.0
        begin = time.perf_counter()
        token, config = asker.ask()
        seconds.append(time.perf_counter() - begin + telling)
        loss = objective(config)
        losses.append(loss)
        heapq.heappush(flying, (now + durations[number], number, token, config, loss))
    return losses, seconds
