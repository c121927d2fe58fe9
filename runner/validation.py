"""What pydantic found wrong, in this project's own words."""

from __future__ import annotations

from types import MappingProxyType

from pydantic_core import ErrorDetails


def explain(error: ErrorDetails) -> str:
    """One sentence: what was found and what was wanted.

    Parameters
    ----------
    error : ErrorDetails
        One of ``ValidationError.errors()``.
    """
    given = error["input"]
    if error["type"] == "value_error":
        return f"{error['msg'].removeprefix('Value error, ')} (got {given!r})."
    wanted = _WANTED.get(error["type"], "something else").format_map(error.get("ctx", {}))
    return f"got {given!r}; {wanted} was expected."


_WANTED = MappingProxyType(
    {
        "string_type": "a text",
        "string_too_short": "a text of at least one letter",
        "list_type": "a list",
        "dict_type": "a mapping",
        "tuple_type": "a list",
        "too_short": "a list of at least one item",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "int_type": "a whole number",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "finite_number": "a finite number",
        "greater_than": "more than {gt:g}",
        "greater_than_equal": "at least {ge:g}",
        "less_than_equal": "at most {le:g}",
        "literal_error": "{expected}",
        "invalid_key": "a word as the key",
    }
)
"""What was wanted, by pydantic's type of error."""
