"""The report as files: ``report.html``, ``figures/`` and ``tables/``, each file whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runner.errors import ResultsError
from runner.figures import plot
from runner.record.folder import replacing
from runner.report.page import Page, make_page
from runner.report.views import to_csv
from runner.results import Results

PAGE: Final = "report.html"
FIGURES: Final = "figures"
TABLES: Final = "tables"
_OURS: Final = re.compile(r"(?:\d\d_|curves_)[\w.-]+\.(?:png|svg|csv)")


def write_report(results: Results, folder: str | Path | None = None, files: bool = True) -> Path:
    """Write the page of a study, its figures as PNG and SVG, and its tables as CSV.

    Works on a running study, too: the page says that it is unfinished.

    Parameters
    ----------
    results : Results
    folder : str or Path, optional
        Default: the study directory.
    files : bool, default True
        Whether to write ``figures/`` and ``tables/``, too.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ResultsError
        Where the folder cannot be written.
    """
    target = results.folder if folder is None else Path(folder)
    page = make_page(results)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if files:
            _write_figures(page, target / FIGURES)
            _write_tables(page, target / TABLES)
        _write(target / PAGE, page.html.encode())
    except OSError as error:
        raise ResultsError(
            f"the report cannot be written: {error.strerror or error}.",
            where=str(target),
            hint="Say where to with --to DIR.",
        ) from None
    return target / PAGE


def _write_figures(page: Page, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    _remove_others(folder, (f"{name}.{end}" for name in page.figures for end in ("png", "svg")))
    for name, figure in page.figures.items():
        png, svg = plot.render(figure, page.styles)
        _write(folder / f"{name}.png", png)
        _write(folder / f"{name}.svg", svg)


def _write_tables(page: Page, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    _remove_others(folder, (f"{name}.csv" for name in page.tables))
    for name, frame in page.tables.items():
        _write(folder / f"{name}.csv", to_csv(frame).encode())


def _remove_others(folder: Path, kept: Iterable[str]) -> None:
    """Remove what an earlier report has left: an old figure beside a new page would be believed."""
    names = set(kept)
    for path in folder.iterdir():
        if path.name not in names and _OURS.fullmatch(path.name):
            path.unlink()


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as new:
        new.write_bytes(data)
