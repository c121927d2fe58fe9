"""Problems on their way: large arrays are apart, and shared by the workers of a node."""

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from runner.engine.ray.pickling import SHARED_BYTES, pack, pack_problems
from runner.errors import ProblemError
from runner.problems.base import FunctionProblem
from runner.space import Float, Space

LINE = Space({"x": Float(0.0, 1.0)})


def holding(array, name="holding"):
    def total(config):
        return float(array.sum()) * config["x"]

    return FunctionProblem(total, LINE, name)


def test_large_arrays_are_apart_and_small_ones_inside():
    large, small = np.arange(SHARED_BYTES // 8, dtype=float), np.arange(10.0)
    (parcel, other) = pack_problems([holding(large), holding(small, "small")])
    assert parcel.shared_bytes == large.nbytes
    assert len(parcel.content) < 10_000
    assert other.shared_bytes == 0
    again = pickle.loads(parcel.content, buffers=[bytes(buffer.raw()) for buffer in parcel.buffers])
    assert again.evaluate({"x": 1.0}, seed=0) == large.sum()
    assert pickle.loads(other.content).evaluate({"x": 1.0}, seed=0) == 45.0


def test_an_array_is_not_copied_on_its_way_into_the_parcel():
    large = np.zeros(SHARED_BYTES)
    parcel = pack([large])
    large[0] = 7.0
    assert np.frombuffer(parcel.buffers[0])[0] == 7.0


def test_what_cannot_be_pickled_is_named():
    lock = threading.Lock()

    def locked(config):
        return config["x"] if lock else 0.0

    with pytest.raises(ProblemError, match="locked: cannot be sent to a worker: TypeError"):
        pack_problems([FunctionProblem(locked, LINE, "locked")])


@pytest.mark.ray
def test_workers_of_a_node_share_one_copy(tmp_path):
    """In a Ray of its own, whose object store is made for what is shared."""
    script = tmp_path / "share.py"
    script.write_text(SHARE, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    megabytes, *private = map(float, done.stdout.split())
    assert megabytes == 400
    assert len(private) == 2, "two workers"
    assert all(own < 200 for own in private), "a worker with a copy of its own would hold 400 MB more"


SHARE = """
import numpy as np
from runner import Float, Study, problem, run

ARRAY = np.ones(50_000_000)


def private():
    with open("/proc/self/smaps_rollup") as file:
        rows = dict(line.split(":", 1) for line in file if ":" in line)
    return sum(int(rows[name].split()[0]) for name in ("Private_Clean", "Private_Dirty")) / 1024


@problem(space={"x": Float(0, 1)})
def held(config):
    import time

    time.sleep(0.02)
    return {"loss": ARRAY[::1000].sum() * config["x"], "private": private(), "pid": __import__("os").getpid(),
            "writeable": float(ARRAY.flags.writeable)}


study = Study.build(name="share", problems=[held], methods=["random"], seeds=1, budget={"trials": 200})
trials = run(study, out="out", workers=2).trials
assert (trials["status"] == "COMPLETED").all(), trials["error"].iloc[0]
assert not trials["metrics/writeable"].any()
print(ARRAY.nbytes / 1e6, *trials.groupby("metrics/pid")["metrics/private"].max())
"""
