"""Writer of YAML that means the same in YAML 1.1 and 1.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel

from runner._text import printable, printable_lines
from runner.study.yaml.scalars import ScalarError, resolve


class _Dumper(yaml.SafeDumper):
    """Safe dumper that quotes strings which YAML 1.1 or YAML 1.2 would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write shared parts out each time: a file is for people."""
        del data
        return True


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        style = None if isinstance(resolve(text), str) else "'"
    except ScalarError:
        style = "'"
    if printable(text) != text:  # PyYAML writes some line breaks as they are, and reads them as spaces
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_string)


def dump(value: object, *, flow: bool = False, width: int | None = None) -> str:
    """Write a value as YAML; keys in their order.

    Parameters
    ----------
    value : object
        Mappings, lists, tuples and scalars, NumPy's too; anything else is written as its ``str``.
    flow : bool
        Write it in braces and brackets.
    width : int, optional
        Line width; by default 80 characters.
    """
    text = yaml.dump(
        plain(value),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=flow,
        width=width or 80,
    )
    # Characters that could reorder or hide the text around them are within double quotes, where
    # Python's escapes are those of YAML.
    return printable_lines(text)


def plain(value: object) -> Any:
    """Copy a value into Python's own types, as `dump` writes it."""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True, by_alias=True)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {_plain_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _plain_key(key: object) -> Any:
    return str(key) if isinstance(key, Mapping | list | tuple) else plain(key)
