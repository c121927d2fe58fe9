"""What a file is read as, what is refused with its place, and that neither takes long."""

import os
import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import FivefoldError, StudyError
from runner.study.yaml import load_text, parse, read_yaml, scan
from runner.study.yaml.building import MOST_ALIASED, MOST_DEPTH, MOST_FAULTS
from runner.study.yaml.reading import MOST_BYTES

# The characters that mean something, and a few that do not.
SOUP = st.text(st.sampled_from("[]{}&*!|>'\"%@`,:?-<=#.~ \n\t\\ab01_xe"), max_size=1000)
WORDS = st.lists(
    st.sampled_from(
        [
            "&a ",
            "*a",
            "<<: ",
            "[",
            "]",
            "{",
            "}",
            ",",
            ": ",
            "- ",
            "? ",
            "\n",
            "\n  ",
            "k",
            "1",
            "!!int ",
            "'",
            '"',
        ]
    ),
    max_size=300,
).map("".join)


def messages(text):
    with pytest.raises(StudyError) as caught:
        load_text(text, "s.yaml")
    assert caught.value.__cause__ is None
    return [str(fault) for fault in caught.value.faults]


def read(folder, content):
    path = folder / "study.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_yaml(path)


# -- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, value",
    [
        ("", None),
        ("a: 1\nb: [x, 2.5]", {"a": 1, "b": ["x", 2.5]}),
        ("'1e-3'", "1e-3"),
        ("!!str 3", "3"),
        ("! 3", "3"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!null ''", None),
        ("!!map {}", {}),
        ("%YAML 1.2\n---\nyes", "yes"),
        ("\ufeffa: 1", {"a": 1}),
        ('"\\ud83d\\ude00"', "😀"),
        ("[&a 1, *a, &a 2, *a]", [1, 1, 2, 2]),
        ("{true: 1, 'true': 2}", {True: 1, "true": 2}),
        ("{1: a, '1': b}", {1: "a", "1": "b"}),
        ("~: 1", {None: 1}),
    ],
)
def test_a_text_is_read(text, value):
    found = load_text(text, "s.yaml")
    assert found == value
    assert repr(found) == repr(value)


BASE = "b: &b {x: 1, y: 2}\nc: &c {y: 3, z: 4}\n"


@pytest.mark.parametrize(
    "merged, value",
    [
        ("{<<: *b}", {"x": 1, "y": 2}),
        ("{<<: *b, y: 7}", {"x": 1, "y": 7}),
        ("{y: 7, <<: *b}", {"x": 1, "y": 7}),
        ("{<<: [*b, *c], w: 0}", {"x": 1, "y": 2, "z": 4, "w": 0}),
        ("{<<: [*c, *b]}", {"y": 3, "z": 4, "x": 1}),
        ("{<<: {q: 1}}", {"q": 1}),
        ("{'<<': 1}", {"<<": 1}),
        ("[<<]", ["<<"]),
    ],
)
def test_mappings_are_merged_and_own_keys_win(merged, value):
    found = load_text(f"{BASE}d: {merged}", "s.yaml")["d"]
    assert found == value
    assert list(found) == list(value)


def test_a_merged_mapping_can_be_merged_again_and_stays_what_it_was():
    found = load_text("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, x: 3}", "s.yaml")
    assert found == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 3, "y": 2}}


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, says",
    [
        ("name: s\nproblems: [branin\nmethods: [random]\n", "3:8: invalid YAML: expected"),
        ("name: s\n\tproblems: []\n", "2:1: invalid YAML: found character '\\t'"),
        ("a: 1\nname: x\x01\n", "2:8: invalid YAML: the character '\\x01' may not be in it."),
        ("a: 1\n---\nb: 2", "2:1: invalid YAML: a second document begins."),
        ('a: "\\U00110000"', "1:7: invalid YAML: a number is too large here."),
        (f"%YAML {'1' * 5000}.1\n--- a", "1:7: invalid YAML: a number is too large here."),
        ("%YAML 1.1\n---\nyes", "1:1: expected YAML 1.2, got the directive %YAML 1.1. Leave it out."),
        ("seeds: 1\nname: s\nseeds: 2\n", "3:1: duplicate key 'seeds', first in line 1."),
        ("a: {b: 1, b: 2}\n", "1:11: duplicate key 'b', first in line 1."),
        ("a:\n  1: x\n  1.0: y", "3:3: duplicate key 1.0, equal to 1 in line 2. Write one of them in quotes"),
        ("{0: x, false: y}", "1:8: duplicate key false, equal to 0 in line 1."),
        ("{~: x, null: y}", "1:8: duplicate key null, first in line 1."),
        ("{.nan: x}", "1:2: expected a string or a number as the key, got nan."),
        ("? [a, b]\n: 3\n", "1:3: expected a string or a number as the key, got ['a', 'b']."),
        ("a: *b\n", "1:4: the alias '*b' has no anchor before it."),
        ("a: &a [*a]\n", "1:8: the alias '*a' is within its own anchor."),
        ("&a {b: {c: *a}}\n", "1:12: the alias '*a' is within its own anchor."),
        ("<<: 3", "1:1: expected a mapping or a list of mappings to merge, got 3. Write <<: *name."),
        ("<<: [{}, 3]", "1:1: expected a mapping or a list of mappings to merge, got [{}, 3]."),
        ("{<<: {}, <<: {}}", "1:10: duplicate key <<. Write <<: [*a, *b]."),
        (
            "a: !!python/object:os.system {}\n",
            "1:4: the tag '!!python/object:os.system' has no meaning here.",
        ),
        ("!!set {a}", "1:1: the tag '!!set' has no meaning here. Leave it out."),
        ("!!timestamp 2020-01-01", "1:1: the tag '!!timestamp' has no meaning here. Leave it out."),
        ("!!bool maybe", "1:1: expected bool as the tag says, got 'maybe'."),
        ('"\\ud83d"', "1:1: expected a whole surrogate pair, got half of one."),
        ('a: "b\\0c"', "1:4: expected a string without NUL."),
        ("a: [1, 010]", "1:8: '010' is 8 in YAML 1.1 and 10 in YAML 1.2."),
        ("010: 3", "1:1: '010' is 8 in YAML 1.1 and 10 in YAML 1.2."),
    ],
)
def test_what_is_refused_has_its_line_and_column(text, says):
    (message,) = messages(text)
    assert message.startswith(f"s.yaml:{says}")
    assert "\n" not in message


def test_everything_is_said_at_once_as_far_as_it_can_be_read():
    places = [
        message.split(": ")[0] for message in messages("a: 1_0\nb: [*x, 0b1]\nc: 1\nc: 2\nd: ]\ne: 1_0")
    ]
    assert places == ["s.yaml:1:4", "s.yaml:2:5", "s.yaml:2:9", "s.yaml:4:1", "s.yaml:5:4"]
    assert len(messages("[" + "1_0, " * 10 * MOST_FAULTS + "]")) == MOST_FAULTS


@pytest.mark.parametrize(
    "name, says",
    [
        ("stduy.yaml", "no such file. Did you mean 'study.yaml'?"),
        ("other.yaml", "no such file. The folder '{folder}' holds study.yaml."),
        ("no/study.yaml", "no such file. There is no folder '{folder}/no' either."),
        (
            "empty/study.yaml",
            "no such file. The folder '{folder}/empty' holds no .yaml or .yml file.",
        ),
        ("empty", "cannot be read: Is a directory."),
        ("a" * 300, "cannot be read: File name too long."),
        ("a\0b", "cannot be read: embedded null byte."),
    ],
)
def test_a_missing_file_names_the_nearest(tmp_path, name, says):
    (tmp_path / "study.yaml").write_text("name: s\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError) as caught:
        read_yaml(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {says.format(folder=tmp_path)}"


def test_what_is_not_text_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"study.yaml:2: not valid UTF-8\."):
        read(tmp_path, b"a: 1\n\xff\xfe\x00\x01")


# -- what would take long -------------------------------------------------------------------------

BOMBS = {
    "aliases": "a: &a [x, x]\n"
    + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in pairwise("abcdefghijklmnopqrstu")),
    "merges": "a: &a {p: 1, q: 2}\n"
    + "".join(f"a: &a {{<<: [{', '.join(['*a'] * 60)}]}}\n" for _ in range(9)),
    "lists": "[" * 500,
    "mappings": "{a: " * 250,
    "blocks": "- " * 500,
    "keys": "? " * 500,
    "mixed": "[{" * 400,
    "digits": "1" * 1000,
    "hexadecimal": "0x" + "f" * 1000,
    "underscores": "1" + "_" * 998 + "1",
    "sixties": "1" + ":1" * 499,
    "exponent": "1e" + "9" * 998,
    "tag": "!" + "a" * 998,
    "anchors": "".join(f"- &{i} x\n" for i in range(120)),
    "quotes": "'" * 1000,
    "escapes": '"' + "\\\\" * 499 + '"',
    "scalars": "|\n " * 300,
}


def timed(text):
    """What a text is read as, or why not, within a second of computing."""
    start = time.process_time()
    found = error = None
    try:
        found = load_text(text, "s.yaml")
    except FivefoldError as refusal:
        error = refusal
    assert time.process_time() - start < 1
    return found, error


@pytest.mark.parametrize("text", BOMBS.values(), ids=list(BOMBS))
def test_a_kilobyte_is_read_or_refused_at_once(text):
    found, error = timed(text)
    assert len(repr(found)) < 20 * MOST_ALIASED
    assert len(str(error)) < 100_000


@given(SOUP | WORDS)
def test_any_text_is_read_or_refused_at_once(text):
    _, error = timed(text)
    assert error is None or all(fault.where.startswith("s.yaml:") for fault in error.faults)


def test_the_limits_are_those_that_are_named():
    deep = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert load_text(deep, "s.yaml")
    assert messages(f"[{deep}]") == [
        f"s.yaml:1:{MOST_DEPTH + 1}: expected at most 64 levels of nesting, got more."
    ]
    half = "[" * (MOST_DEPTH // 2) + "]" * (MOST_DEPTH // 2)
    nested = "[" * (MOST_DEPTH // 2) + "*a" + "]" * (MOST_DEPTH // 2)
    assert load_text(f"[[&a {half[1:-1]}, {nested[2:-2]}]]", "s.yaml")
    (message,) = messages(f"[&a {half}, [{nested}]]")
    assert message.endswith("expected at most 64 levels of nesting, got more.")
    many = f"- &a [{'x, ' * (MOST_ALIASED // 20 - 1)}]\n"
    assert load_text(many + "- *a\n" * 20, "s.yaml")
    (message,) = messages(many + "- *a\n" * 21)
    assert message == "s.yaml:22:3: expected aliases of at most 20,000 values in all, got more."


def test_no_more_is_read_than_is_allowed(tmp_path):
    with pytest.raises(StudyError, match=r"expected at most 4 MB, got more\."):
        read(tmp_path, b"#" * (MOST_BYTES + 1))
    pipe = tmp_path / "endless.yaml"
    os.mkfifo(pipe)

    def write():
        with pipe.open("wb") as file:
            try:
                while True:
                    file.write(b"#" * 65536)
            except BrokenPipeError:
                pass

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with pytest.raises(StudyError, match=r"expected at most 4 MB, got more\."):
        read_yaml(pipe)
    writer.join(10)


def test_a_stream_of_documents_is_looked_through_before_another_reader_has_it():
    scan("a: !Ref x\n---\nb: 010\n", "c.yaml")
    scan("[" + "1_0, " * 200 + "]", "c.yaml")
    with pytest.raises(StudyError, match=r"c\.yaml:3:65: expected at most 64 levels"):
        scan("a: 1\n---\n" + "[" * 100, "c.yaml")


def test_a_document_knows_the_places_of_its_parts():
    text = "a:\n  - {b: 1, 'c.d': [x, {e: 2}]}\n  - &m {choice: {k: {f: 3}}}\n  - *m\n"
    document = parse(text, "s.yaml")
    places = {
        "a": (1, 1),
        "a[0]": (2, 5),
        "a[0]: b": (2, 6),
        "a[0].c.d[1].e": (2, 24),
        "a[1].k.f": (3, 22),
        "a[2]: k.f": (3, 22),
        "a[0].nothing": (2, 5),
        "a[0]: no/such/file.py": (2, 5),
        "a[9]": (1, 1),
        "": (1, 1),
    }
    assert {path: tuple(document.find(path)[0]) for path in places} == places


def test_errors_come_in_the_order_of_the_file_and_without_what_follows_from_others():
    document = parse("a: 1_0\nb: 2\nc: 3\n", "s.yaml")
    found = document.in_order(
        [StudyError("third.", where="c"), StudyError("of a.", where="a"), StudyError("b.", where="b")]
    )
    assert [str(error) for error in found[1:]] == ["s.yaml:2:1: b: b.", "s.yaml:3:1: c: third."]
    assert str(found[0]).startswith("s.yaml:1:4: '1_0' is 10 in YAML 1.1")
