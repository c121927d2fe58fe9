"""The versions that the trials of a session depend on.

A result may change with the version of a library as it does with a changed line of code. A study is
continued under other versions all the same, because that is what happens to a study that takes months: the
journal keeps which trials were evaluated under which (`runner.journal.environments`).
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from runner.study.identity.identity import problem_code
from runner.study.study import Study

_ALWAYS: Final = ("numpy", "scipy", "scikit-learn")
_DISTRIBUTIONS: Final = {"sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python", "yaml": "PyYAML"}
"""The names of packages whose modules have another."""


def environment_of(study: Study) -> dict[str, str]:
    """The versions of this program, of Python, and of the packages that the study's objectives use."""
    used = {name for problem in study.problems for name in problem_code(problem).packages}
    used = {_DISTRIBUTIONS.get(name, name) for name in used - sys.stdlib_module_names - {"runner"}}
    names = ["fivefold", *_ALWAYS, *sorted(used.difference(_ALWAYS))]
    return {"python": platform.python_version()} | {
        name: text for name in names if (text := version_of(name))
    }


def version_of(name: str) -> str:
    """The version of an installed package; empty where there is none of that name."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
