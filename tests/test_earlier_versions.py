"""Study directories that earlier versions wrote: they are read, verified, reported and resumed.

The directories were written by the version that their folder names; see the study files beside them.
"""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from runner import Results, run
from runner.journal.verify import verify
from runner.report import write_report
from runner.study.study import Study

FIXTURES = Path(__file__).parent / "fixtures" / "version_0_1"
STUDIES = {"mixed": "study.yaml", "steps": "steps.yaml", "recorded": "again.yaml"}
PER_RUN = {"mixed": 8, "steps": 9, "recorded": 5}


@pytest.fixture(params=STUDIES)
def written(request, tmp_path):
    """A copy of the whole folder, and the name of one of its study directories."""
    home = tmp_path / "home"
    shutil.copytree(FIXTURES, home)
    return home, request.param


def test_its_trials_are_those_that_the_version_exported(written):
    home, name = written
    before = pd.read_parquet(home / name / "trials.parquet")
    now = Results.open(home / name).trials
    for column in before.columns:
        if column in now.columns and before[column].dtype != object:
            pd.testing.assert_series_equal(before[column], now[column], check_dtype=False)
    assert before["status"].astype(str).tolist() == now["status"].astype(str).tolist()
    assert before["error"].tolist() == now["error"].tolist()


def test_it_is_verified_and_reported(written):
    home, name = written
    assert verify(home / name).whole
    assert write_report(Results.open(home / name)).stat().st_size > 10_000


def test_it_resumes_as_it_is_and_with_a_larger_budget(written):
    home, name = written
    before = Results.open(home / name).trials
    same = run(Study.load(home / STUDIES[name]), home / name, workers=0).trials
    assert len(same) == len(before)
    methods = [label for label, _ in Study.load(home / STUDIES[name]).methods if label != "grid"]
    larger = Study.load(home / STUDIES[name]).changed(methods=methods, trials=PER_RUN[name] + 3)
    after = run(larger, home / name, workers=0).trials
    assert len(after) > len(before)
    keys = ["problem", "method", "seed", "number"]
    kept = before[keys].merge(after, on=keys)
    for column in ("status", "loss", "error"):
        expected = before[column].astype(object).where(before[column].notna(), None).tolist()
        assert kept[column].astype(object).where(kept[column].notna(), None).tolist() == expected
