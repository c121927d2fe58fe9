"""Types of all values in a journal: checksums say who wrote a row, not that it makes sense.

A directory may come from anybody, and its checksums may be right whatever it holds. Readers of a journal
rely on what is checked here: JSON of the expected type, numbers that are numbers, strings that are one of a
few words.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from runner.journal.schema import RUN_COLUMNS, TRIAL_COLUMNS, Row
from runner.trial import Origin, Status

Check = Callable[[Any], bool]

_read: Final = json.JSONDecoder().raw_decode
"""`json.loads` without its search for blanks around the value, which takes as long as the rest."""
_NOTHING: Final = object()
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_LARGEST: Final = 10**300  # an integer beyond it is no float
_MOST_TRIALS: Final = 2**31  # per run; bounds the loops over trial numbers that a forged count would cause
_DEEPEST: Final = 200  # levels of JSON; a condition of a space takes five, Python's recursion limit is 1,000
_STATUSES: Final = frozenset(status.value for status in Status)
_ORIGINS: Final = frozenset(origin.value for origin in Origin)


def check_meta(rows: Sequence[Row]) -> Iterator[str]:
    """Describe the wrong values of ``meta``, rows of key, JSON and checksum."""
    for key, text, _ in rows:
        check = _META.get(key, _BEGUN if key.startswith("begun/") else None)
        if check is not None and not check(text):
            yield f"the row '{key}' of meta is of an unexpected type"


def check_runs(rows: Sequence[Row]) -> Iterator[str]:
    """Describe the wrong values in rows of `RUN_COLUMNS`."""
    for row in rows:
        values = dict(zip(RUN_COLUMNS, row, strict=False))  # without the checksum
        if wrong := [name for name, check in _RUNS.items() if not check(values[name])]:
            yield f"the run '{values['id']}' has a value of an unexpected type: {', '.join(wrong)}"
    counts = Counter(row[RUN_COLUMNS.index("id")] for row in rows)
    for run in (run for run, count in counts.items() if count > 1):
        yield f"duplicate run '{run}'"


def check_trials(rows: Sequence[Row], runs: Sequence[Row]) -> Iterator[str]:
    """Describe the wrong values in rows of a run's key and `TRIAL_COLUMNS`.

    Parameters
    ----------
    runs : sequence of tuple
        Rows that `check_runs` accepts.
    """
    columns = list(zip(*rows, strict=True))
    for place, name in enumerate(TRIAL_COLUMNS if rows else (), 1):
        if _PLAIN.get(name, frozenset()).issuperset(map(type, columns[place])):
            continue  # as nearly always, whatever the values are
        # Most values of the other columns repeat: each distinct one is checked once.
        if wrong := {value for value in set(columns[place]) if not _TRIALS[name](value)}:
            row = next(row for row in rows if row[place] in wrong)
            yield _of_trial(row, runs, name)
    if rows:
        yield from _check_configs(rows, runs)


def _check_configs(rows: Sequence[Row], runs: Sequence[Row]) -> Iterator[str]:
    """Check that configs are such, with numbers where their space has numbers."""
    spaces: dict[str, frozenset[str]] = {}
    numbers = {}
    for run in runs:
        identity = run[RUN_COLUMNS.index("identity")]
        if identity not in spaces:
            spaces[identity] = _numbers_of(json.loads(identity))
        numbers[run[0]] = spaces[identity]
    config = 1 + TRIAL_COLUMNS.index("config")
    for row in rows:
        if not _is_config(row[config], numbers.get(row[0], frozenset())):
            yield _of_trial(row, runs, "config")
            return


def _of_trial(row: Row, runs: Sequence[Row], name: str) -> str:
    run = next((run[1] for run in runs if run[0] == row[0]), row[0])
    return f"trial {row[1]} of the run '{run}' has a {name} of an unexpected type"


def _json(check: Check) -> Check:
    """Check JSON by its value."""
    return lambda text: check(_parsed(text))


def _parsed(text: Any) -> Any:
    """Decode JSON; `_NOTHING` where it is invalid."""
    try:
        value, end = _read(text)
    except (ValueError, TypeError, RecursionError):
        return _NOTHING
    return value if end == len(text) else _NOTHING


def _is_string(value: Any) -> bool:
    return type(value) is str


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and -_LARGEST < value < _LARGEST)


def _is_stored_number(value: Any) -> bool:
    """Accept what `runner.journal.schema.to_number` makes."""
    return type(value) is float or value is None or value == "nan"


def _is_numbers(value: Any) -> bool:
    return type(value) is list and all(map(_is_number, value))


def _is_named_numbers(value: Any) -> bool:
    return type(value) is dict and all(x is None or _is_number(x) for x in value.values())


def _is_config(text: Any, numbers: frozenset[str]) -> bool:
    value = _parsed(text)
    if type(value) is not dict or not _SCALARS.issuperset(map(type, value.values())):
        return False
    return all(_is_number(value[name]) for name in numbers & value.keys())


def _is_strings(value: Any) -> bool:
    return type(value) is list and all(map(_is_string, value))


def _is_settings(value: Any) -> bool:
    return type(value) is dict and _is_shallow(value)


def _is_budget(value: Any) -> bool:
    if type(value) is not dict or value.keys() != {"trials", "seconds"}:
        return False
    trials, seconds = value["trials"], value["seconds"]
    return (trials is None or _is_integer(trials)) and (seconds is None or _is_number(seconds))


def _is_shallow(value: Any) -> bool:
    """Test that a recursive walk through the value would end."""
    level = [value]
    for _ in range(_DEEPEST):
        if not level:
            return True
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return False


def _is_identity(value: Any) -> bool:
    """Accept what `runner.study.identity.identity` writes, as far as others read it."""
    if type(value) is not dict or not _is_shallow(value):
        return False
    if not {"space", "forbid", "direction", "metric", "objective"} <= value.keys():
        return False
    if type(value["objective"]) is not dict:
        return False
    space, forbid = value["space"], value["forbid"]
    try:
        list(_parameters(space.items()))
        clauses = [options for clause in forbid for options in clause.values()]
    except (TypeError, ValueError, AttributeError):
        return False
    return all(type(options) is list and _SCALARS.issuperset(map(type, options)) for options in clauses)


def _numbers_of(identity: Mapping[str, Any]) -> frozenset[str]:
    """Collect the parameters that are numbers, in any branch."""
    found = list(_parameters(identity["space"].items()))
    return frozenset(name for name, _ in found) - {name for name, number in found if not number}


def _parameters(params: Iterable[Any]) -> Iterator[tuple[str, bool]]:
    """List the parameters of a space in JSON, also of branches, each with True where it is a number.

    Raises
    ------
    TypeError, ValueError
        Where it has another form.
    """
    for name, form in params:
        if type(form) is not dict or type(name) is not str:
            raise TypeError
        (kind,) = {"float", "int", "choice"} & form.keys()
        if kind == "choice":
            for option, inner in form[kind]:
                if type(option) not in _SCALARS or type(inner) is not list:
                    raise TypeError
                yield from _parameters(inner)
        else:
            low, high = form[kind]
            log = form.get("log", False)
            if not (_is_finite(low) and _is_finite(high) and low <= high and type(log) is bool):
                raise TypeError
            if log and low <= 0:
                raise ValueError
        yield name, kind != "choice"


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _is_probes(value: Any) -> bool:
    return type(value) is dict and all(map(_is_probe, value, value.values()))


def _is_probe(key: str, probe: Any) -> bool:
    if type(probe) is not dict or not key.rpartition("/")[2].isdecimal():
        return False
    if probe.get("noisy") is True:
        return True
    loss = probe.get("loss", "")
    return _is_string(probe.get("config")) and (loss is None or _is_number(loss))


def _is_count(value: Any) -> bool:
    return _is_integer(value) and 0 <= value < _MOST_TRIALS


def _are_environments(value: Any) -> bool:
    """Accept what `runner.journal.environments` writes."""
    return type(value) is list and all(
        type(one) is dict
        and _is_count(one.get("before"))
        and _is_integer(one.get("part", 0))
        and type(one.get("versions")) is dict
        and all(map(_is_string, one["versions"].values()))
        for one in value
    )


def _are_suspects(value: Any) -> bool:
    """Accept suspects of `runner.journal.begun`: run, number, losses, counted, alone."""
    return type(value) is list and all(
        type(one) is list
        and len(one) == 5
        and _is_string(one[0])
        and all(map(_is_count, one[1:4]))
        and type(one[4]) is bool
        for one in value
    )


def _are_begun(value: Any) -> bool:
    """Accept a batch of `runner.journal.begun`: numbers by run."""
    return type(value) is dict and all(
        type(numbers) is list and all(map(_is_count, numbers)) for numbers in value.values()
    )


def _is_moment(value: Any) -> bool:
    try:
        return type(value) is str and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_META: Final[Mapping[str, Check]] = {
    "name": _json(_is_string),
    "seed": _json(_is_integer),
    "parallel": _json(lambda value: _is_integer(value) and value >= 1),
    "order": _json(_is_string),
    "scheduler": _json(lambda value: _is_string(value) or _is_settings(value)),
    "version": _json(_is_string),
    "created": _json(_is_moment),
    "journal": _json(_is_string),
    "session": _json(_is_integer),
    "open": _json(lambda value: type(value) is bool),
    "runs": _json(lambda value: _is_integer(value) and value >= 0),
    "study": _json(_is_string),
    "probes": _json(_is_probes),
    "environments": _json(_are_environments),
    "suspects": _json(_are_suspects),
}
_BEGUN: Final[Check] = _json(_are_begun)

_RUNS: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("id", "label", "method", "problem", "metric"), _is_string),
    "identity": _json(_is_identity),
    **dict.fromkeys(("announcement", "end_reason", "conclusion"), _is_string),
    "settings": _json(_is_settings),
    "seed": lambda value: _is_integer(value) and value >= 0,
    "direction": lambda value: value in ("minimize", "maximize"),
    "optimum": _is_stored_number,
    "budget": _json(_is_budget),
    "failed": lambda value: value in (0, 1),
}

_TRIALS: Final[Mapping[str, Check]] = {
    "number": lambda value: _is_integer(value) and 0 <= value < _MOST_TRIALS,
    "config": lambda value: True,  # see `_check_configs`
    "status": lambda value: value in _STATUSES,
    "loss": _is_stored_number,
    "value": _is_stored_number,
    "test": _is_stored_number,
    "gradient": lambda value: value is None or _json(_is_named_numbers)(value),
    "metrics": _json(_is_named_numbers),
    "folds": _json(_is_numbers),
    "steps": _json(_is_numbers),
    "step_seconds": _json(_is_numbers),
    "share": lambda value: type(value) is float,
    "error": _is_string,
    "origin": lambda value: value in _ORIGINS,
    "known": lambda value: _is_integer(value) and value >= 0,
    "suggest_seconds": lambda value: type(value) is float,
    "queue_seconds": lambda value: type(value) is float,
    "seconds": lambda value: type(value) is float,
    "started": lambda value: type(value) is float,
    "worker": _is_string,
    "earlier": _json(_is_strings),
}

_PLAIN: Final[Mapping[str, frozenset[type]]] = {
    **dict.fromkeys(("loss", "value", "test"), frozenset({float, type(None)})),
    **dict.fromkeys(("share", "suggest_seconds", "queue_seconds", "seconds", "started"), frozenset({float})),
    **dict.fromkeys(("error", "worker"), frozenset({str})),
}
"""Types that a column may have without a look at its values."""
