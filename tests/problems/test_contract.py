"""Every built-in problem keeps the laws of a problem."""

import pytest

import runner.problems  # noqa: F401  (fills the registry)
from runner.problems.base import PROBLEMS
from runner.testing import ProblemContract


@pytest.fixture(scope="class", params=sorted(PROBLEMS))
def each(request):
    request.cls.problem = PROBLEMS[request.param]()


@pytest.mark.usefixtures("each")
class TestBuiltIn(ProblemContract):
    samples = 8


def test_there_are_built_in_problems():
    assert PROBLEMS
