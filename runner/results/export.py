"""Frames as files that are replaced atomically: Parquet, CSV or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from runner.errors import ResultsError, nearest
from runner.journal.files.places import replacing
from runner.results.spreadsheet import to_csv


def write_frames(
    frames: dict[str, pd.DataFrame],
    folder: Path,
    form: str,
    more: Mapping[str, Callable[[pd.DataFrame, Path], None]] | None = None,
) -> list[Path]:
    """Write each frame to ``folder/name.form``; see `runner.results.Results.export`.

    Parameters
    ----------
    more : mapping of str to callable, optional
        Writers of further formats than `FORMATS`, each called with a frame and a path.
    """
    formats = {**FORMATS, **(more or {})}
    if form not in formats:
        raise ResultsError(f"unknown format '{form}'.", where="format", hint=nearest(form, formats))
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            path = folder / f"{name}.{form}"
            with replacing(path) as new:
                formats[form](frame, new)
            paths.append(path)
    except OSError as error:
        raise ResultsError(
            f"cannot be written: {error.strerror or error}.",
            where=str(folder),
            hint="Export to another folder.",
        ) from None
    return paths


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, engine="pyarrow", index=False)


def _csv(frame: pd.DataFrame, path: Path) -> None:
    path.write_text(to_csv(frame), encoding="utf-8", newline="\n")


def _json(frame: pd.DataFrame, path: Path) -> None:
    """Write one record per line; pandas' own writer would round floats to 15 digits."""
    names = [str(name) for name in frame.columns]
    rows = zip(*(_plain(frame[name]) for name in names), strict=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for i, row in enumerate(rows):
            record = json.dumps(dict(zip(names, row, strict=True)), allow_nan=False)
            file.write(f"{',' if i else ''}\n{record}")
        file.write("\n]\n")


def _plain(series: pd.Series[Any]) -> list[Any]:
    """Convert to Python values, None for missing ones and for infinities, which JSON lacks."""
    values: list[Any] = series.astype(object).where(series.notna(), None).tolist()
    if pd.api.types.is_float_dtype(series.dtype):
        return [value if value is not None and math.isfinite(value) else None for value in values]
    return values


FORMATS: Final[dict[str, Callable[[pd.DataFrame, Path], None]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "json": _json,
}
