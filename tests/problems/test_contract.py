"""Every built-in problem keeps the laws of a problem."""

import pytest

import runner.problems  # noqa: F401  (fills the registry)
from runner.problems.base import PROBLEMS
from runner.testing import ProblemContract

DEAR = {"penalty_digits": 1, "network_unrolled": 1}
"""A tenth of a second and more; of these fewer configs are tried."""


@pytest.fixture(scope="class", params=sorted(PROBLEMS))
def each(request):
    request.cls.problem = PROBLEMS[request.param]()
    request.cls.samples = DEAR.get(request.param, 8)


@pytest.mark.usefixtures("each")
class TestBuiltIn(ProblemContract):
    pass


def test_there_are_built_in_problems():
    assert PROBLEMS
