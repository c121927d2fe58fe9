"""Versions that the trials of a session depend on.

A result may change with the version of a library as with a changed line of code. A study can be resumed
under other versions all the same, since a study that takes months will be: the journal records which trials
were evaluated under which versions (`runner.journal.environments`).
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
"""Packages whose modules have another name."""


def environment_of(study: Study) -> dict[str, str]:
    """Collect the versions of this program, of Python, and of the packages that the objectives use."""
    used = {name for problem in study.problems for name in problem_code(problem).packages}
    used = {_DISTRIBUTIONS.get(name, name) for name in used - sys.stdlib_module_names - {"runner"}}
    names = ["fivefold", *_ALWAYS, *sorted(used.difference(_ALWAYS))]
    return {"python": platform.python_version()} | {
        name: found for name in names if (found := version_of(name))
    }


def version_of(name: str) -> str:
    """Get the version of an installed package; empty where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
