"""docs/trial.md names modules that exist."""

import re
from importlib.util import find_spec
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "trial.md"


def test_every_module_of_the_page_exists():
    names = set(re.findall(r"`(runner\.[\w.]+)`", PAGE.read_text(encoding="utf-8")))
    assert len(names) > 20
    assert [name for name in sorted(names) if find_spec(name) is None] == []
