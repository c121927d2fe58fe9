"""Every registered method, in each of its forms, keeps the laws of a method."""

import inspect
import sys

from runner.methods import METHODS, make_method
from runner.testing import SPACES, MethodContract

INFINITE = frozenset(kind for kind, space in SPACES.items() if space.continuous)


class TestExhaustive(MethodContract):
    method = make_method("exhaustive")
    refuses = INFINITE
    rival = False


class TestExhaustiveWithResolution(MethodContract):
    method = make_method("exhaustive", {"resolution": 4})
    rival = False


class TestGrid(MethodContract):
    method = make_method("grid")
    rival = False


class TestGridWithPoints(MethodContract):
    method = make_method("grid", {"points": 3})
    covers = False
    rival = False


class TestRandom(MethodContract):
    method = make_method("random")
    repeats = True


class TestSobol(MethodContract):
    method = make_method("random", {"sequence": "sobol"})
    phases = (0, 5, 12, 260)
    repeats = True


class TestGradient(MethodContract):
    method = make_method("gradient")
    phases = (0, 5, 12, 25)


class TestTPE(MethodContract):
    method = make_method("tpe")
    phases = (0, 5, 12, 25)


class TestHyperopt(MethodContract):
    method = make_method("tpe", {"flavour": "hyperopt"})
    phases = (0, 5, 25)


class TestAnneal(MethodContract):
    method = make_method("tpe", {"flavour": "anneal"})
    phases = (0, 5, 12, 25)


class TestBayes(MethodContract):
    method = make_method("bayes")
    phases = (0, 5, 12, 25)


class TestThompson(MethodContract):
    method = make_method("bayes", {"acquisition": "thompson"})
    phases = (0, 12)


class TestBayesPerSecond(MethodContract):
    method = make_method("bayes", {"per_second": True})
    phases = (0, 12)
    rival = False  # it is where all trials cost the same, as `bayes` is; see test_bayes.py for where not


def test_every_method_is_under_contract():
    classes = [
        value
        for _, value in inspect.getmembers(sys.modules[__name__], inspect.isclass)
        if issubclass(value, MethodContract) and value is not MethodContract
    ]
    assert {cls.method.name for cls in classes} == set(METHODS)
