"""Measurements of a sampler: regrets, scores on tuning problems, seconds."""

from __future__ import annotations

import statistics
import time

from benchmarks.peers.samplers import PEERS
from benchmarks.quality import functions
from benchmarks.quality.estimators import Problem
from benchmarks.quality.ours import Ours
from benchmarks.quality.simulation import asynchronous
from runner.seeds import rng_for
from runner.space import Choice, Float, Int, Space

OURS = {"bayes", "tpe", "random"}


def _asker(sampler, space, seed, parallel, trials):
    if sampler in OURS:
        return Ours(space, seed, parallel, trials, sampler)
    return PEERS[sampler](space, seed, parallel, trials)


def regrets(_scratch, sampler, problems, seeds, budget, parallel=8, failing=0.0):
    """The best loss minus the optimum, per function and seed."""
    found, seconds = {}, []
    for name in problems:
        found[name] = []
        for seed in range(seeds):
            function = functions.make(name, seed)
            objective = _failing(function, failing, seed) if failing else function.objective
            asker = _asker(sampler, function.space, seed, parallel, budget)
            losses, proposing = asynchronous(asker, objective, budget, parallel, seed)
            best = min(loss for loss in losses if loss is not None)
            found[name].append(best - function.optimum)
            seconds += proposing
    return {"regrets": found, "thinking": statistics.mean(seconds), "finished": time.time()}


def _failing(function, share, seed):
    """The objective with a part of the space in which every trial fails; the minimum is outside.

    The part is all that lies beyond a plane, which is put so that the share of the space is beyond.
    """
    rng = rng_for("failing", seed)
    space = function.space
    rows = [space.encode(space.sample(rng)) for _ in range(400)]
    values = [function.objective(space.decode(row)) for row in rows]
    best = rows[min(range(len(rows)), key=values.__getitem__)]
    side = rng.standard_normal(space.d)
    places = sorted(float(row @ side) for row in rows)
    if best @ side > places[len(places) // 2]:
        side = -side
        places = [-place for place in reversed(places)]
    edge = places[int((1 - share) * len(places))]
    return lambda config: None if space.encode(config) @ side > edge else function.objective(config)


def scores(_scratch, sampler, problems, seeds, batches, size):
    """The best loss after the last batch, per tuning problem and seed; failures are reported as such."""
    found, seconds = {}, []
    for name in problems:
        found[name] = []
        for seed in range(seeds):
            problem = Problem(name, seed)
            asker, losses = _asker(sampler, problem.space, seed, size, batches * size), []
            for _ in range(batches):
                begin = time.perf_counter()
                asked = [asker.ask() for _ in range(size)]
                seconds.append((time.perf_counter() - begin) / size)
                results = [problem(config) for _, config in asked]
                for (token, config), loss in zip(asked, results, strict=True):
                    asker.tell(token, config, loss)
                losses += results
            problem.keep()
            found[name].append(min(loss for loss in losses if loss is not None))
    return {"losses": found, "thinking": statistics.mean(seconds), "finished": time.time()}


def first_draws(_scratch, problems, seeds, draws):
    """Losses of random configs: what one draw gives, to compare with."""
    found = {}
    for name in problems:
        found[name] = []
        for seed in range(seeds):
            problem = Problem(name, seed)
            rng = rng_for("first draw", name, seed)
            losses = [problem(problem.space.sample(rng)) for _ in range(draws)]
            problem.keep()
            found[name].append(statistics.median(loss for loss in losses if loss is not None))
    return {"losses": found, "finished": time.time()}


MIXED = Space(
    {
        "x": Float(0.0, 1.0),
        "rate": Float(1e-5, 1.0, log=True),
        "slope": Float(-1.0, 1.0),
        "y": Float(0.0, 1.0),
        "n": Int(1, 30),
        "width": Int(1, 512, log=True),
        "share": Float(0.0, 1.0, step=0.05),
        "a": Choice(list("abcd")),
        "b": Choice([True, False]),
    }
)


def proposals(_scratch, sampler, finished, times):
    """Measure the CPU seconds of a proposal after a number of finished trials, each with one new result."""
    rng = rng_for("proposals", finished)
    asker = _asker(sampler, MIXED, 0, 1, finished + times + 1)
    for config in (MIXED.sample(rng) for _ in range(finished)):
        asker.know(config, _bowl(config))
    cpu = []
    for i in range(times + 1):
        begin = time.process_time()
        token, config = asker.ask()
        asker.tell(token, config, _bowl(config))
        if i:  # the first one imports what it needs
            cpu.append(time.process_time() - begin)
    return {"seconds": statistics.median(cpu), "finished": time.time()}


def _bowl(config):
    row = MIXED.encode(config)
    return float(((row - 0.4) ** 2).sum())
