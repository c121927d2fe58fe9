import inspect
import pickle

import pytest

from runner import errors
from runner.errors import (
    EngineError,
    FivefoldError,
    JournalError,
    NoValidTrial,
    SpaceError,
    StudyError,
    StudyInterrupted,
    clip,
    describe,
    nearest,
)

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, FivefoldError)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_says_where_what_and_what_to_do(kind):
    error = kind("low is 2.", where="space.C", hint="Raise high.")
    assert str(error) == "space.C: low is 2. Raise high."
    assert str(kind("low is 2.")) == "low is 2."
    assert (error.message, error.where, error.hint) == ("low is 2.", "space.C", "Raise high.")
    assert kind.__doc__
    assert isinstance(error, FivefoldError)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind):
    again = pickle.loads(pickle.dumps(kind("m.", where="w", hint="h.")))
    assert type(again) is kind
    assert (again.message, again.where, again.hint, str(again)) == ("m.", "w", "h.", "w: m. h.")
    assert str(again.at("outer")) == "outer.w: m. h."


def test_outer_places_are_put_in_front():
    error = SpaceError("m.", where="C").at("space").at("problems[0]")
    assert isinstance(error, SpaceError)
    assert str(error) == "problems[0].space.C: m."
    assert str(SpaceError("m.", hint="h.").at("space")) == "space: m. h."


def test_exit_codes_are_those_of_the_command():
    assert {kind.exit_code for kind in KINDS} == {1, 2, 3, 130}
    assert (EngineError.exit_code, JournalError.exit_code, StudyInterrupted.exit_code) == (2, 3, 130)
    assert NoValidTrial.exit_code == 1


def test_the_nearest_name_is_offered():
    assert nearest("bays", ["bayes", "grid"]) == "Did you mean 'bayes'?"
    assert nearest("zzz", ["tpe", "bayes"]) == "Known are: bayes, tpe."
    assert nearest("zzz", []) == "None is known."


def test_an_error_is_described_whatever_its_text_does():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    assert describe(ValueError("two")) == "ValueError: two"
    assert describe(StudyError("it is wrong.", where="here")) == "here: it is wrong."
    assert describe(Mute()) == "Mute: its message cannot be read"


@pytest.mark.parametrize("text, cut", [("abc", "abc"), ("abcd", "abcd"), ("abcde", "abc…")])
def test_a_cut_text_is_as_long_as_it_may_be_and_says_so(text, cut):
    assert clip(text, 4) == cut
