"""What a trial needs, and how many of them nodes have room for; without Ray."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import StudyError
from runner.study.resources import Needs, available_cpus
from runner.study.study import Study

AMOUNTS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 7.0])
NODES = st.lists(st.fixed_dictionaries({"CPU": AMOUNTS, "GPU": AMOUNTS, "memory": AMOUNTS, "tpu": AMOUNTS}))
NEEDS = st.builds(
    Needs,
    cpus=st.sampled_from([0.5, 1.0, 3.0]),
    gpus=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    resources=st.sampled_from([{}, {"tpu": 1.0}]),
)


@given(NEEDS, NODES, NODES)
def test_room_is_counted_node_by_node(needs, some, others):
    assert needs.room(some + others) == needs.room(some) + needs.room(others)
    assert needs.room(some + others) == needs.room(others + some)
    for node in some:
        used = {name: amount * needs.on(node) for name, amount in needs.amounts.items()}
        assert all(used[name] <= node[name] for name in used), "it fits"
        more = {name: amount * (needs.on(node) + 1) for name, amount in needs.amounts.items()}
        assert any(more[name] > int(node[name]) for name in more), "and no more would"


@pytest.mark.parametrize("share, each", [(0.5, 2), (0.3, 3), (0.6, 1), (0.1, 10), (1.0, 1), (2.0, 0.5)])
def test_a_share_is_one_of_a_single_device(share, each):
    assert Needs(1, share).room([{"CPU": 99.0, "GPU": 2.0}]) == 2 * each


@pytest.mark.parametrize(
    "needs, nodes, says",
    [
        (Needs(4), [{"CPU": 2.0}], "a trial needs 4 CPUs; it has 2 CPUs."),
        (
            Needs(4),
            [{"CPU": 2.0}] * 4,
            "a trial needs 4 CPUs on one node; it has 8 CPUs in all, but no node has more than 2 CPUs.",
        ),
        (Needs(1, 0.5), [{"CPU": 2.0}], "a trial needs 1 CPU, 0.5 GPUs; it has no GPU."),
        (
            Needs(memory_gb=8),
            [{"CPU": 2.0, "memory": 4e9}],
            "a trial needs 1 CPU, 8 GB of memory; it has 4 GB of memory.",
        ),
        (
            Needs(resources={"tpu": 1}),
            [{"CPU": 2.0, "node:10.0.0.1": 1.0, "spot": 1.0}],
            "a trial needs 1 CPU, 1 of 'tpu'; it has no resource 'tpu' (it has spot).",
        ),
        (
            Needs(2, 1),
            [{"CPU": 2.0}, {"CPU": 1.0, "GPU": 1.0}],
            "a trial needs 2 CPUs, 1 GPU; no single node of it has all of that.",
        ),
        (Needs(1), [], "a trial needs 1 CPU; it has no CPU."),
    ],
)
def test_what_is_missing_is_said(needs, nodes, says):
    assert needs.room(nodes) == 0
    assert needs.shortfall(nodes, "it") == says


def build(**trial):
    return Study.build(
        name="needy", problems=["branin", "hartmann6"], methods=["random"], budget={"trials": 1}, trial=trial
    )


def test_single_problems_may_need_something_else():
    study = build(cpus=2, resources={"spot": 1}, problems={"hartmann6": {"gpus": 0.5, "resources": {}}})
    assert study.needs == (Needs(2, 0, None, {"spot": 1}), Needs(2, 0.5))
    assert [needs.threads for needs in study.needs] == [2, 2]
    assert study.needs[0].amounts == {"CPU": 2, "spot": 1}
    assert hash(study.needs[0]) != hash(study.needs[1])


@pytest.mark.parametrize(
    "trial, says",
    [
        ({"resources": {"GPU": 1}}, "study: trial.resources: expected no 'GPU' (cpus, gpus and memory_gb"),
        ({"resources": {"tpu": 0}}, "study: trial.resources.tpu: expected more than 0, got 0."),
        (
            {"resources": {"tpu": 1.5}},
            "trial.resources.tpu: expected a share of one, or an integer, got 1.5.",
        ),
        ({"resources": ["tpu"]}, "study: trial.resources: expected a mapping, got ['tpu']."),
        ({"gpus": 1.5}, "study: trial.gpus: expected a share of one, or an integer, got 1.5."),
        (
            {"problems": {"brannin": {"gpus": 1}}},
            "trial.problems.brannin: the study has no problem 'brannin'. Did you",
        ),
        ({"problems": {"branin": {"gpu": 1}}}, "study: trial.problems.branin.gpu: unknown key."),
        (
            {"problems": {"branin": {"cpus": 0}}},
            "study: trial.problems.branin.cpus: expected more than 0, got 0.",
        ),
    ],
)
def test_what_cannot_be_needed_is_refused(trial, says):
    with pytest.raises(StudyError) as caught:
        build(**trial)
    assert says in str(caught.value)


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
    monkeypatch.setattr("runner.study.resources._QUOTA", tmp_path / "cpu.max")
    assert available_cpus() == min(cpus, len(os.sched_getaffinity(0)))
