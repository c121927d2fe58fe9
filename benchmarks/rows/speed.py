"""Throughput of trials, against the ideal and the alternatives."""

from __future__ import annotations

from benchmarks.measure import Arm, Benchmark, pick
from benchmarks.report import Reach, compare

WORKERS = 2
RAYS_GATE = 17.5  # ms per trial: (800 - 625) s / 10,000 trials, the limit of Ray's own release test
PEERS = {
    "bare": "two bare processes",
    "joblib": "joblib, 2 workers",
    "reuse": "Ray Tune, class, reuse_actors",
    "tune": "Ray Tune, function",
    "optuna": "Optuna, 2 processes",
}


def study(trials, methods=("random",), **keys):
    """A study file with one run per method."""
    return {"methods": list(methods), "budget": {"trials": trials}} | keys


def grid(trials):
    """Make a finite space of two integers with the given number of configs."""
    side = max(side for side in range(1, int(trials**0.5) + 1) if trials % side == 0)
    return {"a": {"int": [0, side - 1]}, "b": {"int": [0, trials // side - 1]}}


def short(quick):
    """400 busy trials of 50 ms."""
    trials, seconds, few = (8, 0.02, 4) if quick else (400, 0.05, 20)
    ideal = trials * seconds / WORKERS
    work = {"work": "busy", "seconds": seconds}
    peer = work | {"trials": trials, "workers": WORKERS}
    arms = [
        Arm(
            "fivefold",
            "fivefold",
            {"keys": study(trials), "objective": work, "workers": WORKERS, "command": True},
        ),
        Arm("bare", "bare", peer),
        Arm("joblib", "joblib", peer),
        Arm("reuse", "tune", peer | {"reuse": True}),
        Arm("tune", "tune", peer | {"reuse": False, "trials": few, "of": trials}),
        Arm("optuna", "optuna", peer),
    ]

    def rows(found):
        ours = found["fivefold"]
        first_to_last, whole = f"{trials} x {seconds * 1000:g} ms, first to last", "whole command"
        over = [x - ideal for x in pick(ours, "whole")]
        return [
            compare(
                first_to_last,
                "ideal: work / cores",
                pick(ours, "seconds"),
                ideal,
                "s",
                reach=Reach(0.95, "ratio"),
            ),
            compare(f"{whole}, seconds over ideal", "ideal", over, None, "s", reach=Reach(8.0, least=False)),
            *[
                compare(what, PEERS[label], pick(ours, key), pick(found[label], key), "s")
                for label in PEERS
                for what, key in ((first_to_last, "seconds"), (whole, "whole"))
            ],
        ]

    note = f"""Method random. Each trial uses {seconds * 1000:g} ms of CPU time of its thread, so that it
    takes longer where the driver or another process has its core. Evaluations time themselves. fivefold is
    the command `fivefold run` with its journal, 2 workers; joblib writes nothing to disk; Optuna writes its
    file journal. The class of Ray Tune is not saved at its
    end. Ray Tune without reuse_actors was run with {few} trials, and {trials} are taken to cost in
    proportion. The whole command is from the start of the Python process to the end of its work and its
    workers."""
    return Benchmark("short", arms, rows, note)


def noop(quick):
    """100,000 trials that do nothing."""
    trials, joblib, tune, optuna = (200, 200, 4, 20) if quick else (100_000, 100_000, 300, 2_000)
    ours = {"keys": study(trials, ["exhaustive"]), "objective": {"space": grid(trials)}, "workers": WORKERS}
    peer = {"work": "none", "seconds": 0.0, "workers": WORKERS}
    arms = [
        Arm("fivefold", "fivefold", ours),
        Arm("command", "fivefold", ours | {"command": True}),
        Arm("joblib", "joblib", peer | {"trials": joblib}),
        Arm("reuse", "tune", peer | {"trials": tune, "reuse": True}),
        Arm("tune", "tune", peer | {"trials": max(4, tune // 15), "reuse": False}),
        Arm("optuna", "optuna", peer | {"trials": optuna}),
    ]

    def rows(found):
        durable = [one["trials"] / (one["durable"] - one["first"]) for one in found["fivefold"]]
        whole = [one["trials"] / one["whole"] for one in found["command"]]
        what = f"{trials:,} trials that do nothing"
        made = [
            compare(
                f"{what}, from the first to the last in the journal",
                "-",
                durable,
                None,
                "/s",
                more=True,
                reach=Reach(5000),
            )
        ]
        for label in ("joblib", "reuse", "tune", "optuna"):
            theirs = [one["trials"] / one["seconds"] for one in found[label]]
            against = f"{PEERS[label]}, {found[label][0]['trials']:,} trials" if theirs else PEERS[label]
            made.append(compare("the same", against, durable, theirs, "/s", more=True))
        made.append(compare("whole command", "-", whole, None, "/s", more=True))
        theirs = [one["trials"] / one["whole"] for one in found["joblib"]]
        made.append(compare("whole command", PEERS["joblib"], whole, theirs, "/s", more=True))
        made.append(
            compare(
                "peak memory of the driver",
                PEERS["joblib"],
                pick(found["fivefold"], "megabytes"),
                pick(found["joblib"], "megabytes"),
                "MB",
                reach=Reach(1000, least=False),
            )
        )
        return made

    note = """Exhaustive over two whole numbers; each config once. Ours is from the first evaluation's start
    until the last trial is durable in the journal; the peers' until the last evaluation's end, and joblib
    keeps nothing. Rates of peers with fewer trials are per trial of what they ran; all of them draw at
    random, which is the cheapest."""
    return Benchmark("no-op", arms, rows, note)


def tuners(quick):
    """A comparative study in one study, against one Tuner per run."""
    seeds, trials, seconds, measured = (1, 4, 0.02, 2) if quick else (5, 40, 0.1, 10)
    box = {name: {"float": [0, 1]} for name in "xyz"}
    methods = ["exhaustive", "random", "grid", "bayes", "tpe", "gradient"]
    classes = ["ExhaustiveSearch", "RandomSearch", "GridSearch", "BayesSearch", "TPESearch", "GradientSearch"]
    settings = [{"resolution": 4}, {}, {}, {}, {}, {}]
    given = [{name: some} if some else name for name, some in zip(methods, settings, strict=True)]
    ours = {
        "keys": study(trials, given, seeds=seeds, cache=False),
        "objective": {"work": "sleep", "seconds": seconds, "space": box},
        "workers": WORKERS,
        "command": True,
    }
    theirs = {
        "methods": dict(zip(classes, settings, strict=True)),
        "seeds": seeds,
        "trials": trials,
        "seconds": seconds,
        "workers": WORKERS,
        "measured": measured,
    }
    arms = [Arm("fivefold", "fivefold", ours), Arm("tuners", "tuners", theirs)]

    def rows(found):
        return [
            compare(
                f"6 methods x {seeds} seeds x {trials} trials of {seconds * 1000:g} ms, whole command",
                f"{6 * seeds} tune.Tuner in sequence",
                pick(found["fivefold"], "whole"),
                pick(found["tuners"], "whole"),
                "s",
                reach=Reach(5.0, "ratio"),
            )
        ]

    note = f"""Trials sleep, and each run has one trial in flight. `cache: false`, so that every trial is
    evaluated. The Tuners use the `runner.*Search` classes and Tune's defaults in one Ray; one per method was
    run with {measured} trials, and scaled: {trials} trials cost the mean between two starts each, {seeds}
    seeds the same."""
    return Benchmark("study", arms, rows, note)


def thinking(quick):
    """Runs of bayes on one worker and on two."""
    seeds, trials = (2, 4) if quick else (12, 60)
    ours = {"keys": study(trials, ["bayes"], seeds=seeds), "objective": {"builtin": "hartmann6"}}
    arms = [Arm(f"{workers}", "fivefold", ours | {"workers": workers, "command": True}) for workers in (2, 1)]

    def rows(found):
        return [
            compare(
                f"{seeds} runs of bayes, {trials} trials of hartmann6 each, 2 workers: {what}",
                "fivefold, 1 worker",
                pick(found["2"], key),
                pick(found["1"], key),
                "s",
                reach=Reach(1.7, "ratio") if key == "seconds" else None,
            )
            for what, key in (("first to last", "seconds"), ("whole command", "whole"))
        ]

    note = "The trials cost nothing, so that the time is the methods' thinking."
    return Benchmark("thinking", arms, rows, note)


def single(quick):
    """Trials one by one."""
    trials = 40 if quick else 10_000
    ours = {"keys": study(trials), "objective": {"work": "none"}, "workers": WORKERS, "batches": False}

    def rows(found):
        each = [(one["seconds"] - one["work"] / WORKERS) / one["trials"] * 1000 for one in found["fivefold"]]
        growth = [one["thousands"] for one in found["fivefold"] if one.get("thousands")]
        return [
            compare(
                f"{trials:,} trials without batches, 2 workers: wall time per trial over ideal",
                "the gate of Ray's release test",
                each,
                RAYS_GATE,
                "ms",
                reach=Reach(9.0, least=False),
            ),
            compare(
                "time of the last thousand, in that of the first",
                "1",
                [last / first for first, last in growth],
                None,
                reach=Reach(1.2, least=False),
            ),
        ]

    note = """Trials cost nothing and travel alone (`benchmarks.batches.without_batches`). The first thousand
    counts from when both workers were there. Ray's gate is (800 - 625) s for 10,000 trials of a second on 16
    CPUs of a larger machine."""
    return Benchmark("single", [Arm("fivefold", "fivefold", ours)], rows, note)
