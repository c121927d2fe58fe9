"""Methods that misbehave end their own run, with a reason; the study goes on."""

from pathlib import Path

import pytest

from runner.methods import METHODS
from runner.results import Results
from runner.study.study import Study
from tests.engine.ray.test_engine import play

DEEDS = {
    "raise": "the method raised RuntimeError: no more ideas",
    "exit": "the method raised SystemExit: 4",
    "outside": "a proposal outside the space",
    "nonsense": "the method raised",
    "endless": "the method was still computing a proposal after 1.5 s",
}

REGISTERED = []


def unruly():
    """A study of all of them, and of one that is as it should be."""
    methods = [{"name": deed, "method": "unruly", "deed": deed} for deed in DEEDS]
    return Study.build(
        name="unruly",
        problems=[f"{Path(__file__).parent / 'misbehaving.py'}:calm"],
        methods=[*methods, "random"],
        seeds=1,
        budget={"trials": 6},
        trial={"proposal_timeout": 1.5, "retries": 0},
    )


def check(runs, folder):
    told = Results.open(folder).runs.set_index("method")
    for deed, words in DEEDS.items():
        assert len(runs[f"calm/{deed}/0"]) == 2, "its trials are kept"
        assert words in told.loc[deed, "end_reason"], told.loc[deed]
        assert told.loc[deed, "failed"]
    assert len(runs["calm/random/0"]) == 6
    assert not told.loc["random", "failed"]


@pytest.fixture(autouse=True)
def _not_for_others():
    """Only the studies here shall know of the method that a file has registered."""
    for cls in REGISTERED:
        METHODS.add(cls)
    yield
    REGISTERED[:] = [METHODS._classes.pop("unruly")]


def test_in_this_process(tmp_path):
    check(play(unruly(), tmp_path / "study", None), tmp_path / "study")


@pytest.mark.ray
def test_on_workers(ray_workers, tmp_path):
    check(play(unruly(), tmp_path / "study", ray_workers), tmp_path / "study")
