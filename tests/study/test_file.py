import pytest

from runner.study.file import MOST_SECONDS, StudyFile, wrong_name
from runner.study.keys import parse_study

MINIMAL = {"name": "s", "problems": ["branin"], "methods": ["random"], "budget": {"trials": 5}}


def test_every_key_is_described_for_editors():
    schema = StudyFile.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    assert all(field.get("description") for model in models for field in model["properties"].values())
    assert all(model["additionalProperties"] is False for model in models)


def test_the_defaults_are_those_that_the_schema_names():
    file = parse_study(MINIMAL, "x.yaml")
    assert (file.seeds, file.seed, file.parallel, file.order) == (10, 0, 1, None)
    assert (file.trial.cpus, file.trial.gpus, file.trial.timeout, file.trial.retries) == (1, 0, None, 2)


def test_short_forms_are_the_long_ones():
    short = parse_study(
        MINIMAL | {"scheduler": {"asha": {"grace": 2}}, "initial": ["default", {"x": 1}]}, "s"
    )
    long = {
        "scheduler": {"name": "asha", "grace": 2},
        "initial": [{"config": "default"}, {"config": {"x": 1}}],
    }
    assert short == parse_study(MINIMAL | long, "s")


def test_a_number_without_a_fraction_is_an_integer():
    file = parse_study(MINIMAL | {"budget": {"trials": 1e3}, "seeds": [1.0, 2]}, "s")
    assert (file.budget.trials, file.seeds) == (1000, [1, 2])
    assert type(file.budget.trials) is int


@pytest.mark.parametrize("name", ["", " ", "a,b", "a\nb", "a\x1b[0m", "a\u202eb", "x" * 101])
def test_a_name_has_visible_letters(name):
    assert wrong_name(name)
    assert not wrong_name("Größe 3 (β)")


def test_the_longest_time_is_one_that_timers_can_wait():
    assert MOST_SECONDS < 2**63 / 1e9
