import os

import pytest

from runner.study.machine import available_cpus


def test_this_process_has_a_cpu():
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to CPUs")
def test_a_bound_process_has_fewer():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("text, cpus", [("150000 100000", 2), ("max 100000", 10**6), ("50000 100000", 1)])
def test_a_containers_quota_counts(tmp_path, monkeypatch, text, cpus):
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr("runner.study.machine._QUOTA", tmp_path / "cpu.max")
    assert available_cpus() == min(cpus, len(os.sched_getaffinity(0)))
