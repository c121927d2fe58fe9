"""The language of the house: words that only its builders would understand, and openings of docstrings."""

import ast
import re
from pathlib import Path

import pytest

import runner

ROOT = Path(runner.__file__).parents[1]
MODULES = sorted((ROOT / "runner").rglob("*.py"))
TEXTS = [
    *MODULES,
    *(
        path
        for path in sorted((ROOT / "runner").rglob("*"))
        if path.suffix in (".j2", ".js", ".yaml", ".txt")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
BANNED = {
    r"lanes?": "worker",
    r"bundles?": "batch",
    r"thoughts?|thinking|minds?": "proposal",
    r"warden": "watchdog",
    r"roster": "run table",
    r"luggage": "files",
    r"blamed?|blames|blaming": "recovery, culprit",
    r"anew": "again",
    r"dear": "expensive",
    r"laws?": "distribution",
    r"whole numbers?": "integer",
    r"gone on with|goes on with": "resumed",
    r"a text": "a string",
}
"""The glossary says what to write instead."""
KEPT = {
    "runner/study/file.py": r"thinking",  # the earlier name of a key, which is still read
}
OPENINGS = re.compile(r"(What|Who|Whether|How)\b")


def at(path):
    return path.relative_to(ROOT).as_posix()


def parts_of(text):
    """Words as they stand and the words that names are made of."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", text)


@pytest.mark.parametrize("path", TEXTS, ids=at)
def test_no_word_is_our_own(path):
    kept = KEPT.get(at(path))
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = parts_of(re.sub(kept, "", line) if kept else line)
        found += [
            f"{number}: {match[0]!r} -> {better}"
            for banned, better in BANNED.items()
            if (match := re.search(rf"\b(?:{banned})\b", words, re.IGNORECASE))
        ]
    assert not found, f"{at(path)}: {found}"


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_docstrings_open_with_a_verb_or_a_noun(path):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)
    ]
    found = [
        text.splitlines()[0] for node in nodes if (text := ast.get_docstring(node)) and OPENINGS.match(text)
    ]
    assert not found, f"{at(path)}: {found}"


def test_the_words_of_names_are_seen():
    assert parts_of("the_lane of aLane") == "the lane of a Lane"
