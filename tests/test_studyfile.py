import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import StudyError
from runner.studyfile import StudyFile, parse_study, read_yaml

MINIMAL = {"name": "s", "problems": ["branin"], "methods": ["random"], "budget": {"trials": 5}}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=8)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abxyz_", min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


def read(folder, text):
    path = folder / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


@given(tree=TREES)
def test_what_is_dumped_is_read_again(tmp_path_factory, tree):
    assert read(tmp_path_factory.mktemp("yaml"), yaml.safe_dump(tree)) == tree


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        ("+.5", 0.5),
        ("3.", 3.0),
        ("7", 7),
        ("0x10", 16),
        (".inf", math.inf),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("2020-01-01", "2020-01-01"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("'1e-3'", "1e-3"),
    ],
)
def test_numbers_and_words_are_those_of_yaml_1_2(tmp_path, text, value):
    found = read(tmp_path, f"key: {text}\n")["key"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text, says",
    [
        (
            "name: s\nproblems: [branin\nmethods: [random]\n",
            "line 3, column 8: it is no valid YAML: expected",
        ),
        ("name: s\n\tproblems: []\n", "line 2, column 1: it is no valid YAML: found character '\\t'"),
        ("seeds: 1\nname: s\nseeds: 2\n", "line 3, column 1: it is no valid YAML: the key 'seeds' stands tw"),
        ("a: {b: 1, b: 2}\n", "line 1, column 11: it is no valid YAML: the key 'b' stands twice"),
        ("? [a, b]\n: 3\n", "line 1, column 3: it is no valid YAML: a key must be a word or a number"),
        ("a: 1\nname: x\x01\n", "line 2, column 8: it is no valid YAML: the character '\\x01' may not"),
        ("a: !!python/object:os.system {}\n", "line 1, column 4: it is no valid YAML: could not determine"),
        ("a: *b\n", "line 1, column 4: it is no valid YAML: found undefined alias 'b'"),
        (b"\xff\xfe\x00\x01", "it is no text in UTF-8."),
    ],
)
def test_what_is_no_yaml_is_shown_with_line_and_column(tmp_path, text, says):
    with pytest.raises(StudyError) as caught:
        read(tmp_path, text)
    assert f"{tmp_path / 'study.yaml'}{',' if says[:4] == 'line' else ':'} {says}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, says",
    [
        ("stduy.yaml", "there is no such file. Did you mean 'study.yaml'?"),
        ("other.yaml", "there is no such file. The folder '{folder}' holds study.yaml."),
        ("no/study.yaml", "there is no such file. There is no folder '{folder}/no' either."),
        (
            "empty/study.yaml",
            "there is no such file. The folder '{folder}/empty' holds no .yaml or .yml file.",
        ),
        ("empty", "it cannot be read: Is a directory."),
    ],
)
def test_a_missing_file_names_the_nearest(tmp_path, name, says):
    (tmp_path / "study.yaml").write_text("name: s\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError) as caught:
        read_yaml(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {says.format(folder=tmp_path)}"


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"metods": []}, "x.yaml: metods: there is no such key. Did you mean 'methods'?"),
        (
            {"my-key": 1},
            "x.yaml: my-key: there is no such key. Known are: budget, cache, files, initial, methods,",
        ),
        ({3: 1}, "x.yaml: [3]: got 3; a word as the key was expected."),
        ({"budget": {"trial": 5}}, "x.yaml: budget.trial: there is no such key. Did you mean 'trials'?"),
        ({"report": {"budget": [5]}}, "x.yaml: report.budget: there is no such key. Did you mean 'budgets'?"),
        ({"trial": {"cpu": 1}}, "x.yaml: trial.cpu: there is no such key. Did you mean 'cpus'?"),
        ({"name": None}, "x.yaml: name: got None; a text was expected. Write name: a-word."),
        ({"name": 3}, "x.yaml: name: got 3; a text was expected."),
        ({"name": ""}, "x.yaml: name: got ''; a text of at least one letter was expected."),
        ({"methods": "random"}, "x.yaml: methods: got 'random'; a list was expected. Write methods: [rand"),
        ({"methods": []}, "x.yaml: methods: got []; a list of at least one item was expected."),
        ({"problems": []}, "x.yaml: problems: got []; a list of at least one item was expected. Write prob"),
        ({"budget": 100}, "x.yaml: budget: got 100; a mapping was expected. Write budget: {trials: 100}."),
        ({"budget": {}}, "x.yaml: budget: trials, seconds or both are needed (got {})."),
        ({"budget": {"trials": 0}}, "x.yaml: budget.trials: got 0; at least 1 was expected. Trials of any"),
        ({"budget": {"trials": 2.5}}, "x.yaml: budget.trials: got 2.5; a whole number was expected."),
        ({"budget": {"trials": True}}, "x.yaml: budget.trials: got True; a whole number was expected."),
        ({"budget": {"trials": "many"}}, "x.yaml: budget.trials: got 'many'; a whole number was expected."),
        ({"budget": {"seconds": 0}}, "x.yaml: budget.seconds: got 0; more than 0 was expected."),
        ({"budget": {"seconds": math.inf}}, "x.yaml: budget.seconds: got inf; a finite number was expected."),
        ({"seeds": 0}, "x.yaml: seeds: at least one seed is needed (got 0). How many seeds"),
        ({"seeds": []}, "x.yaml: seeds: at least one seed is needed (got [])."),
        ({"seeds": [1, 1]}, "x.yaml: seeds: a seed stands twice (got [1, 1])."),
        ({"seeds": [1, "a"]}, "x.yaml: seeds[1]: got 'a'; a whole number was expected."),
        ({"seeds": "ten"}, "x.yaml: seeds: got 'ten'; a whole number was expected."),
        ({"seeds": True}, "x.yaml: seeds: got True; a whole number was expected."),
        ({"parallel": 0}, "x.yaml: parallel: got 0; at least 1 was expected."),
        ({"order": "fifo"}, "x.yaml: order: got 'fifo'; 'trial' or 'async' was expected."),
        (
            {"trial": {"timeout": -1}},
            "x.yaml: trial.timeout: got -1; more than 0 was expected. Seconds after",
        ),
        ({"trial": {"retries": -1}}, "x.yaml: trial.retries: got -1; at least 0 was expected."),
        ({"report": {"budgets": [10, 0]}}, "x.yaml: report.budgets[1]: got 0; at least 1 was expected."),
    ],
)
def test_every_mistake_has_its_place_and_what_was_wanted(changes, says):
    with pytest.raises(StudyError) as caught:
        parse_study(MINIMAL | changes, "x.yaml")
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("key", MINIMAL)
def test_a_missing_key_is_shown_by_an_example(key):
    given = {k: v for k, v in MINIMAL.items() if k != key}
    with pytest.raises(StudyError) as caught:
        parse_study(given, "x.yaml")
    assert str(caught.value).startswith(f"x.yaml: {key}: it is missing. Write {key}: ")


@pytest.mark.parametrize(
    "given, says", [(None, "is empty"), ([], "holds a list"), ("words", "holds words only")]
)
def test_what_is_no_mapping_is_refused(given, says):
    with pytest.raises(StudyError, match=f"x.yaml: it {says}; a mapping of keys to values was expected"):
        parse_study(given, "x.yaml")


def test_every_key_is_described_for_editors():
    schema = StudyFile.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    assert all(field.get("description") for model in models for field in model["properties"].values())
    assert all(model["additionalProperties"] is False for model in models)


def test_the_defaults_are_those_that_the_schema_names():
    file = parse_study(MINIMAL, "x.yaml")
    assert (file.seeds, file.seed, file.parallel, file.order) == (10, 0, 1, None)
    assert (file.trial.cpus, file.trial.gpus, file.trial.timeout, file.trial.retries) == (1, 0, None, 2)
