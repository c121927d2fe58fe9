"""All that is wrong with the keys of a study file, each with its path, and what is left to go on with."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import StudyError
from runner.study.file import StudyFile
from runner.study.keys import parse_study, read_keys

MINIMAL = {"name": "s", "problems": ["branin"], "methods": ["random"], "budget": {"trials": 5}}


def faults(changes, *, without=()):
    given = {key: value for key, value in (MINIMAL | changes).items() if key not in without}
    return [str(fault) for fault in read_keys(given).faults]


def test_the_earlier_name_of_the_proposal_timeout_is_read():
    by_key = [parse_study(MINIMAL | {"trial": {key: 5}}, "s") for key in ("thinking", "proposal_timeout")]
    assert by_key[0] == by_key[1]
    assert by_key[0].trial.proposal_timeout == 5.0
    expected = "trial: expected proposal_timeout alone (thinking is its earlier name), got"
    (fault,) = faults({"trial": {"thinking": 5, "proposal_timeout": 5}})
    assert fault.startswith(expected)


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"metods": []}, "metods: unknown key. Did you mean 'methods'?"),
        ({"my-key": 1}, "my-key: unknown key. Known are: budget, cache, files, initial, methods,"),
        ({3: 1}, "[3]: expected a string as the key, got 3."),
        ({None: 1}, "None: expected a string as the key, got None."),
        ({True: 1}, "[True]: expected a string as the key, got True."),
        ({"trial": {1.5: 1}}, "trial.1.5: expected a string as the key, got 1.5."),
        ({"budget": {"trial": 5}}, "budget.trial: unknown key. Did you mean 'trials'?"),
        ({"report": {"budget": [5]}}, "report.budget: unknown key. Did you mean 'budgets'?"),
        ({"trial": {"cpu": 1}}, "trial.cpu: unknown key. Did you mean 'cpus'?"),
        (
            {"trial": {"problems": {"a": {"gpu": 1}}}},
            "trial.problems.a.gpu: unknown key. Did you mean",
        ),
        (
            {"initial": [{"config": {}, "vaule": 1}]},
            "initial[0].vaule: unknown key. Did you mean 'val",
        ),
        ({"initial": ["defalt"]}, "initial[0]: expected a mapping, got 'defalt'. Did you mean 'default'?"),
        ({"initial": [{"from": "a", "config": {}}]}, "initial[0]: expected either config or from, got {"),
        (
            {"scheduler": "ahsa"},
            "scheduler.name: expected 'none', 'asha' or 'median', got 'ahsa'. Did you mean",
        ),
        ({"scheduler": {"asha": {"grce": 1}}}, "scheduler.grce: unknown key. Did you mean 'grace'?"),
        ({"scheduler": {"asha": {"name": "median"}}}, "scheduler.asha: unknown key."),
        ({"name": None}, "name: expected a string, got None. Write name: a-word."),
        ({"name": 3}, "name: expected a string, got 3."),
        ({"name": ""}, "name: expected a string of at least one letter, got ''."),
        ({"name": "a,b"}, "name: expected a name of visible letters without commas, got 'a,b'."),
        ({"methods": "random"}, "methods: expected a list, got 'random'. Write methods: [random, tpe]."),
        ({"methods": []}, "methods: expected a list of at least 1 item, got []."),
        (
            {"problems": []},
            "problems: expected a list of at least 1 item, got []. Write problems: [branin].",
        ),
        ({"budget": 100}, "budget: expected a mapping, got 100. Write budget: {trials: 100}."),
        ({"budget": {}}, "budget: expected trials, seconds or both, got {}."),
        (
            {"budget": {"trials": 0}},
            "budget.trials: expected at least 1, got 0. Trials of any status per run.",
        ),
        ({"budget": {"trials": 2.5}}, "budget.trials: expected an integer, got 2.5."),
        ({"budget": {"trials": True}}, "budget.trials: expected an integer, got True."),
        ({"budget": {"trials": "many"}}, "budget.trials: expected an integer, got 'many'."),
        (
            {"budget": {"trials": 10**18}},
            "budget.trials: expected at most 1,000,000,000, got 1000000000000000000.",
        ),
        (
            {"budget": {"trials": 10**5000}},
            "budget.trials: expected at most 1,000,000,000, got an integer of",
        ),
        ({"budget": {"seconds": 0}}, "budget.seconds: expected more than 0, got 0."),
        ({"budget": {"seconds": "90"}}, "budget.seconds: expected a number, got '90'."),
        ({"budget": {"seconds": math.inf}}, "budget.seconds: expected a finite number, got inf."),
        ({"budget": {"seconds": 1e18}}, "budget.seconds: expected at most 1,000,000,000, got 1e+18."),
        ({"seeds": 0}, "seeds: expected at least 1, got 0. Write seeds: 5, or seeds: [0, 1, 2]."),
        ({"seeds": []}, "seeds: expected a list of at least 1 item, got []."),
        ({"seeds": [1, 1]}, "seeds: expected each seed once, but 1 twice, got [1, 1]."),
        ({"seeds": [1, "a"]}, "seeds[1]: expected an integer, got 'a'."),
        ({"seeds": "ten"}, "seeds: expected an integer or a list, got 'ten'."),
        ({"seeds": True}, "seeds: expected an integer or a list, got True."),
        ({"seeds": 10**9}, "seeds: expected at most 1,000,000, got 1000000000."),
        ({"seeds": 2**60}, "seeds: expected at most 1,000,000, got"),
        ({"parallel": 0}, "parallel: expected at least 1, got 0."),
        ({"order": "fifo"}, "order: expected 'trial' or 'async', got 'fifo'."),
        ({"order": "asnyc"}, "order: expected 'trial' or 'async', got 'asnyc'. Did you mean 'async'?"),
        ({"cache": "no"}, "cache: expected true or false, got 'no'."),
        ({"trial": {"retry_failed": "yes"}}, "trial.retry_failed: expected true or false, got 'yes'."),
        ({"trial": {"timeout": -1}}, "trial.timeout: expected more than 0, got -1. Seconds after"),
        ({"trial": {"gpus": 1.5}}, "trial.gpus: expected a share of one, or an integer, got 1.5."),
        ({"trial": {"cpus": True}}, "trial.cpus: expected a number, got True."),
        ({"trial": {"retries": -1}}, "trial.retries: expected at least 0, got -1."),
        (
            {"trial": {"resources": {"CPU": 1}}},
            "trial.resources: expected no 'CPU' (cpus, gpus and memory_gb have",
        ),
        ({"trial": {"resources": {3: 1}}}, "trial.resources[3]: expected a string as the key, got 3."),
        ({"report": {"budgets": [10, 0]}}, "report.budgets[1]: expected at least 1, got 0."),
        ({"files": ["a", 3]}, "files[1]: expected a string, got 3."),
    ],
)
def test_a_fault_has_its_path_and_says_what_was_expected(changes, says):
    (found,) = faults(changes)
    assert found.startswith(says)


@pytest.mark.parametrize("key", MINIMAL)
def test_a_missing_key_is_shown_by_an_example(key):
    (found,) = faults({}, without=[key])
    assert found.startswith(f"the key '{key}' is missing. Write {key}: ")


@pytest.mark.parametrize(
    "given, says",
    [(None, "nothing"), ([], "a list"), ("words", "a string"), (3, "3"), ([[1]], "a list")],
)
def test_what_is_no_mapping_is_refused(given, says):
    with pytest.raises(
        StudyError, match=f"x.yaml: expected a mapping of keys to values, got {says}. See 'five"
    ):
        parse_study(given, "x.yaml")


def test_all_faults_are_found_and_none_that_follows_from_another():
    given = {
        "problem": ["branin"],
        "methods": [],
        "seeds": "three",
        "budget": {"trial": 20},
        "trial": {"gpus": -1, "timeot": 3, "problems": {"a": {"cpus": 0}, "b": {"cpus": 1}}},
        "report": {"budgets": [1, 0, -1]},
        "initial": ["default", "x", {"config": {}, "best": 0}, {"from": "a", "config": "default"}],
    }
    assert {fault.where: fault.message for fault in read_keys(given).faults} == {
        "problem": "unknown key.",
        "": "the key 'name' is missing.",
        "methods": "expected a list of at least 1 item, got [].",
        "seeds": "expected an integer or a list, got 'three'.",
        "budget.trial": "unknown key.",
        "trial.gpus": "expected at least 0, got -1.",
        "trial.timeot": "unknown key.",
        "trial.problems.a.cpus": "expected more than 0, got 0.",
        "report.budgets[1]": "expected at least 1, got 0.",
        "report.budgets[2]": "expected at least 1, got -1.",
        "initial[1]": "expected a mapping, got 'x'.",
        "initial[2].best": "expected at least 1, got 0.",
        "initial[3]": "expected either config or from, got {'from': 'a', 'config': 'default'}.",
    }


def test_what_is_sound_is_kept_and_a_key_that_is_nearly_known_counts_as_meant():
    keys = read_keys(
        {
            "problem": ["branin"],
            "methods": 3,
            "seeds": 4,
            "budget": {"trial": 20},
            "trial": {"cpus": 0, "gpus": 1},
        }
    )
    assert (keys.file.problems, keys.file.seeds, keys.file.budget.trials) == (["branin"], 4, 20)
    assert (keys.file.trial.cpus, keys.file.trial.gpus) == (1.0, 1.0)
    assert [keys.has(key) for key in ("problems", "methods", "seeds", "budget", "name")] == [1, 0, 1, 1, 0]
    assert keys.has("trial", "gpus")
    assert not keys.has("trial", "cpus")


def test_an_entry_that_is_left_out_moves_no_other():
    keys = read_keys(MINIMAL | {"initial": ["x", {"config": {"a": 1}, "value": 2.0}]})
    assert keys.file.initial[1].config == {"a": 1}
    assert [keys.has("initial", i) for i in range(2)] == [False, True]


def test_several_faults_are_one_error_of_several_lines():
    with pytest.raises(StudyError) as caught:
        parse_study(MINIMAL | {"seeds": 0, "parallel": 0}, "x.yaml")
    assert [str(fault) for fault in caught.value.faults] == str(caught.value).split("\n")
    assert all(line.startswith("x.yaml: ") for line in str(caught.value).split("\n"))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**4000),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from([*StudyFile.model_fields, "problem", "buget", "x", 3])


@given(
    st.dictionaries(
        KEYS, JUNK | st.dictionaries(KEYS | st.sampled_from(["trials", "cpus", "resources", "config"]), JUNK)
    )
)
def test_whatever_is_given_is_read_or_refused_in_short_sentences(given):
    keys = read_keys(given)
    assert isinstance(keys.file, StudyFile)
    assert keys.file.budget is not None
    assert all(len(fault.message) < 300 and "\n" not in fault.message for fault in keys.faults)
    assert bool(keys.faults) or parse_study(given, "x").name == given["name"]
