"""A part of a study: some of its problems and seeds, for a separate driver (``--only``).

The runs of a part are the study's own runs: problem, method and seed name them, so that several parts
make the table of the whole, and `runner.study.merge` joins them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from runner.errors import StudyError, nearest
from runner.study.file import MOST_SEEDS
from runner.study.study import Study

_WHERE = "--only"
_HINT = "Write --only problem=NAME, or --only seed=0,3,10-19."
_RANGE = re.compile(r"(-?\d+)-(\d+)")


def part_of(study: Study, only: Sequence[str]) -> Study:
    """Select the part of a study that ``--only`` names.

    Parameters
    ----------
    only : sequence of str
        Each ``problem=NAME``, ``seed=NUMBER`` or ``seed=FIRST-LAST``, with commas between several.
        Problems and seeds each narrow the study; without one of them it has all of these.

    Raises
    ------
    StudyError
        Where a selection is malformed, or names something that the study does not have.
    """
    named: dict[str, list[str]] = {"problem": [], "seed": []}
    for text in only:
        key, equals, values = text.partition("=")
        found = [value.strip() for value in values.split(",") if value.strip()]
        if key not in named or not equals or not found:
            raise StudyError(
                f"expected problem=NAME or seed=NUMBERS, got {text!r}.", where=_WHERE, hint=_HINT
            )
        named[key] += found
    if named["problem"]:
        study = _with_problems(study, named["problem"])
    if named["seed"]:
        study = _with_seeds(study, [seed for text in named["seed"] for seed in _seeds(text)])
    return study


def _with_problems(study: Study, names: Iterable[str]) -> Study:
    known = [problem.name for problem in study.problems]
    wanted = set(names)
    for name in sorted(wanted - set(known)):
        raise StudyError(f"the study has no problem '{name}'.", where=_WHERE, hint=nearest(name, known))
    kept = [i for i, name in enumerate(known) if name in wanted]
    source = dict(study.source)
    if "problems" in source:
        source["problems"] = [source["problems"][i] for i in kept]
    if isinstance(source.get("trial"), Mapping) and "problems" in source["trial"]:
        source["trial"] = source["trial"] | {"problems": _some(source["trial"]["problems"], wanted)}
    return dataclasses.replace(
        study,
        problems=tuple(study.problems[i] for i in kept),
        trial=study.trial.model_copy(update={"problems": _some(study.trial.problems, wanted)}),
        source=source,
    )


def _with_seeds(study: Study, seeds: Iterable[int]) -> Study:
    wanted = set(seeds)
    if missing := sorted(wanted - set(study.seeds)):
        raise StudyError(
            f"the study has no seed {missing[0]}.",
            where=_WHERE,
            hint=f"It has {len(study.seeds)}, from {min(study.seeds)} to {max(study.seeds)}.",
        )
    return dataclasses.replace(study, seeds=tuple(seed for seed in study.seeds if seed in wanted))


def _seeds(text: str) -> Iterable[int]:
    if found := _RANGE.fullmatch(text):
        first, last = map(int, found.groups())
        if not first <= last < first + MOST_SEEDS:
            raise StudyError(
                f"expected an ascending range of seeds, got seed={text}.", where=_WHERE, hint=_HINT
            )
        return range(first, last + 1)
    try:
        return (int(text),)
    except ValueError:
        raise StudyError(f"expected a number, got seed={text}.", where=_WHERE, hint=_HINT) from None


def _some(given: Mapping[str, object], names: Iterable[str]) -> dict[str, object]:
    return {name: given[name] for name in given if name in names}
