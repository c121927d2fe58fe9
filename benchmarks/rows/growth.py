"""Growth with the numbers of workers and of trials, and the time of a start."""

from __future__ import annotations

from benchmarks.measure import Arm, Benchmark, pick
from benchmarks.report import Reach, Row, compare, number
from benchmarks.rows.speed import WORKERS, grid, study


def start(quick):
    """The package and the command, until they are there."""
    arms = [Arm(what, "start", {"what": what}) for what in ("import", "help", "ray")]

    def rows(found):
        made = []
        for what, name in (("import", "import runner"), ("help", "fivefold --help")):
            made.append(
                compare(
                    f"`{name}`, a whole process",
                    "`import ray.tune`",
                    pick(found[what], "seconds"),
                    pick(found["ray"], "seconds"),
                    "s",
                    reach=Reach(0.5, least=False),
                )
            )
            loaded = any(one["with_ray"] for one in found[what])
            if found[what]:
                said = "loads Ray" if loaded else "loads no Ray"
                reached = "**no**" if loaded else "yes"
                made.append(Row(f"`{name}`", _NOTHING, said, reach="no Ray", reached=reached))
        return made

    note = "From the start of a process to its end, with compiled modules and a warm disk cache."
    return Benchmark("start", arms, rows, note, turns=1 if quick else 7)


def workers(quick):
    """Run sleeping trials on increasing numbers of workers."""
    counts, seconds, each = ((1, 2), 0.05, 4) if quick else ((1, 2, 4, 8, 16, 32), 0.2, 150)
    arms = [
        Arm(
            str(count),
            "fivefold",
            {
                "keys": study(each * count),
                "objective": {"work": "sleep", "seconds": seconds},
                "workers": count,
            },
        )
        for count in counts
    ]

    def rows(found):
        made = []
        for label, some in found.items():
            name = f"{label} {'worker' if label == '1' else 'workers'}, {each * int(label):,} x {seconds:g} s"
            for key, what in (
                ("utilisation", "first to last"),
                ("utilisation_up", "from when all workers were there"),
            ):
                if key == "utilisation" or label != "1":
                    text = f"{name}: utilisation, {what}"
                    made.append(compare(text, "1", pick(some, key), 1.0, more=True))
            wait = [one["up"] - one["first"] for one in some if one.get("up")]
            made.append(compare(f"{name}: from the first worker to the last", _NOTHING, wait, None, "s"))
        return made

    note = f"""Method random, {each} trials per worker that sleep for {seconds:g} s, so that more workers than
    cores tell something. Utilisation is seconds within evaluations / (workers x seconds)."""
    return Benchmark("workers", arms, rows, note, turns=1)


def trials(quick):
    """More and more trials."""
    counts = (100, 200) if quick else (1_000, 10_000, 100_000)
    arms = [
        Arm(
            str(count),
            "fivefold",
            {
                "keys": study(count, ["exhaustive"]),
                "objective": {"space": grid(count)},
                "workers": WORKERS,
            },
        )
        for count in counts
    ]

    def rows(found):
        made = []
        for before, count in zip((None, *counts), counts, strict=False):
            now = found[str(count)]
            then = found[str(before)] if before else []
            against = f"{before:,} trials" if before else _NOTHING
            for what, key, scale, unit in (
                ("CPU time of the driver per trial, its start included", "cpu", 1000 / count, "ms"),
                ("peak memory of the driver", "megabytes", 1.0, "MB"),
            ):
                theirs = (
                    pick(then, key, scale * count / before if key == "cpu" else scale) if before else None
                )
                made.append(
                    compare(f"{count:,} trials: {what}", against, pick(now, key, scale), theirs, unit)
                )
            if before and now and then:
                extra = count - before
                cpu = (now[0]["cpu"] - then[0]["cpu"]) / extra * 1000
                kilobytes = (now[0]["megabytes"] - then[0]["megabytes"]) / extra * 1000
                said = f"{number(cpu)} ms, {number(kilobytes)} kB"
                made.append(
                    Row(f"{count:,} trials: CPU time and peak memory per further trial", against, said)
                )
        return made

    note = "Exhaustive, trials that do nothing, 2 workers. A ratio below 1 is growth."
    return Benchmark("trials", arms, rows, note, turns=1)


_NOTHING = "-"
