"""The report as files: ``report.html``, ``figures/`` and ``tables/``.

Each folder is rewritten and replaced as a whole, since an old figure beside a new page would be believed.
Files in it that are not part of a report stay; see `runner.journal.files.own`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from runner.errors import ResultsError
from runner.journal.files.own import renewing
from runner.journal.files.places import replacing
from runner.report.figures import plot
from runner.report.page import Page, make_page
from runner.results import Results
from runner.results.spreadsheet import to_csv

PAGE: Final = "report.html"
FIGURES: Final = "figures"
TABLES: Final = "tables"


def write_report(results: Results, folder: str | Path | None = None, files: bool = True) -> Path:
    """Write the page of a study, its figures as PNG and SVG, and its tables as CSV.

    Also works on a running study: the page says that it is unfinished.

    Parameters
    ----------
    folder : str or Path, optional
        Default: the study directory.
    files : bool, default True
        Write ``figures/`` and ``tables/`` too.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ResultsError
        If the folder cannot be written.
    """
    target = results.folder if folder is None else Path(folder)
    page = make_page(results)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if files:
            _write_folders(page, target)
        with replacing(target / PAGE) as new:
            new.write_bytes(page.html.encode())
    except OSError as error:
        raise ResultsError(
            f"the report cannot be written: {error.strerror or error}.",
            where=str(target),
            hint="Move the obstacle away, or choose another place with --to DIR.",
        ) from None
    return target / PAGE


def _write_folders(page: Page, target: Path) -> None:
    drawings = [f"{name}.{end}" for name in page.figures for end in ("png", "svg")]
    with renewing(target, {FIGURES: drawings, TABLES: [f"{name}.csv" for name in page.tables]}) as folders:
        for name, figure in page.figures.items():
            png, svg = plot.render(figure, page.styles)
            folders[FIGURES].write(f"{name}.png", png)
            folders[FIGURES].write(f"{name}.svg", svg)
        for name, frame in page.tables.items():
            folders[TABLES].write(f"{name}.csv", to_csv(frame).encode())
