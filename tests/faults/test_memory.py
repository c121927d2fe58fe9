"""Many studies in one process: memory stays flat."""

import gc
import statistics
import time

import psutil
import pytest

from runner.api import run
from runner.engine.monitor import Monitor
from runner.study.study import Study
from tests.faults.soaking import amount
from tests.faults.test_kills import STUDIES

SECONDS = amount(6, 1800)
WORKERS = amount(0, 2)
GROWTH = 1.05
BRANIN = {"problems": ["branin"], "methods": ["random", "tpe"], "budget": {"trials": amount(20, 200)}}


class Weigh(Monitor):
    """What the workers have to themselves, at the most."""

    def __init__(self):
        self.workers, self.looked = 0, 0.0

    def ended(self, index, trial):
        if trial.worker != "main" and time.monotonic() - self.looked > 1:
            self.looked = time.monotonic()
            self.workers = max(self.workers, private(int(trial.worker.rpartition(":")[2] or 0)))


def private(pid):
    """Bytes; 0 for a process that is gone."""
    try:
        memory = psutil.Process(pid).memory_info()
    except (psutil.Error, ValueError):
        return 0
    return memory.rss - memory.shared


def growth(weights):
    """The last quarter in the third one."""
    quarter = len(weights) // 4
    return statistics.mean(weights[-quarter:]) / statistics.mean(weights[-2 * quarter : -quarter])


@pytest.mark.timeout(SECONDS + 600)
def test_memory_stays_flat_over_many_studies(tmp_path, request):
    if WORKERS:
        request.getfixturevalue("ray_workers")  # one for all studies: it leaves something in the driver, too
    mixed = [BRANIN, STUDIES["staged"], STUDIES["shared"], STUDIES["six methods"]]
    drivers, workers, count, until = [], [], 0, time.monotonic() + SECONDS
    while time.monotonic() < until or count < 8:
        for keys in mixed if WORKERS else mixed[:1]:
            weigh = Weigh()
            study = Study.build(**{"name": f"study {count}", "seeds": 1, **keys})
            run(study, tmp_path / str(count), workers=WORKERS, monitor=weigh)
            workers.append(weigh.workers)
            count += 1
        gc.collect()
        drivers.append(private(psutil.Process().pid))
    print(f"\n{count} studies; driver {drivers[-1] / 1e6:.0f} MB, grown to {growth(drivers):.3f}")
    assert growth(drivers) < GROWTH
    if WORKERS:
        by_kind = [workers[kind :: len(mixed)] for kind in range(len(mixed))]
        print("workers grown to", [round(growth(weights), 3) for weights in by_kind])
        assert all(growth(weights) < GROWTH for weights in by_kind)
