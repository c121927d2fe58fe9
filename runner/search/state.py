"""The state of a search in a file: JSON, written as a whole or not at all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runner.errors import MethodError
from runner.journal.files.places import replacing
from runner.space import Space
from runner.space.formats import OwnView, View
from runner.space.formats.json import part_from_json, part_to_json
from runner.space.formats.ray_tune import NestedView, SearchedView
from runner.trial import Pending, Trial

_FORMAT = "fivefold search 3"


def write_state(path: str, state: Mapping[str, Any]) -> None:
    """Write a state durably, in place of an earlier one."""
    with replacing(Path(path)) as new, new.open("w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, **state}, file)


def read_state(path: str) -> dict[str, Any]:
    """Read a state of `write_state`.

    Raises
    ------
    MethodError
        Where the file cannot be read, or is something else.
    """
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MethodError(f"the state of the search cannot be read: {error}.", where=str(path)) from None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise MethodError(
            "expected the state of a search, got another file.",
            where=str(path),
            hint="Pass a file that save() wrote.",
        )
    return state


def foreign_state(what: str, found: object, own: object, where: str) -> MethodError:
    """Make the error for the state of another search."""
    return MethodError(
        f"expected {own!r} as the {what}, got a state with {found!r}.",
        where=where,
        hint="Restore it with a search that has the same arguments.",
    )


def to_json(trials: Iterable[Trial] | Iterable[Pending]) -> list[dict[str, Any]]:
    """Write trials by the names of their fields."""
    return [dataclasses.asdict(trial) for trial in trials]


def view_to_json(view: View) -> dict[str, Any] | None:
    """Encode the space of configs for `view_from_json`; None where JSON cannot hold it."""
    if isinstance(view, OwnView):
        return {"own": True}
    try:
        return {"own": False, "whole": not isinstance(view, SearchedView), "part": part_to_json(view.part)}
    except TypeError:
        return None


def view_from_json(given: Mapping[str, Any] | None, space: Space, where: str) -> View:
    """Decode the view of `view_to_json`; MethodError where it could not be written."""
    if given is None:
        raise MethodError(
            "the state does not hold the search's space, which contains objects or expressions.",
            where=where,
            hint="Make the search with its space, and restore that.",
        )
    if given["own"]:
        return NestedView.over(space)
    return (View if given["whole"] else SearchedView)(space, part_from_json(given["part"]))
