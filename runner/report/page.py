"""The page of a study: its HTML, and the figures and tables behind it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner._text import printable_lines
from runner.report import sections, summary
from runner.report.figures.marks import Figure
from runner.report.figures.palette import DARK, LIGHT, Style, styles
from runner.report.figures.sheet import Sheet
from runner.report.views import Album
from runner.results import Results
from runner.results.stats import Comparison

_TITLES: Final = {
    "verdict": "Verdict",
    "leaderboard": "Leaderboard",
    "anytime": "Anytime",
    "problems": "Per problem",
    "pairs": "Head to head",
    "history": "History",
    "cost": "Cost",
    "generalisation": "Generalisation",
    "search": "Search",
    "failures": "Failures",
    "robustness": "Robustness",
    "method": "Method",
    "reproduce": "Reproduce",
}


@dataclass(frozen=True)
class Page:
    """A page with its figures and tables.

    Attributes
    ----------
    html : str
        Self-contained: it loads nothing from a network.
    figures : mapping of str to Figure
        By the names of their files.
    tables : mapping of str to pandas.DataFrame
        By the names of their files; including those of the figures.
    styles : tuple of Style
        The styles of the methods.
    """

    html: str = field(repr=False)
    figures: dict[str, Figure] = field(repr=False)
    tables: dict[str, pd.DataFrame] = field(repr=False)
    styles: tuple[Style, ...] = ()


def make_page(results: Results, live: str = "") -> Page:
    """Make the page of a study directory as it was when it was opened.

    Parameters
    ----------
    results : Results
        Results of a finished, a running or an interrupted study.
    live : str, optional
        The version that a server gives to this state; the page then polls it for later ones.
        Default: a static page.
    """
    comparison = Comparison.of(results)
    sheet = Sheet(comparison, styles(comparison.methods, comparison.plan.reference))
    album, tables = Album(sheet.styles), dict[str, pd.DataFrame]()
    contents = sections.sections(sheet, results, album, tables)
    html = (
        _environment()
        .get_template("page.html.j2")
        .render(
            about=summary.about(results, comparison),
            empty="" if len(comparison.methods) == 1 and "history" in contents else comparison.empty,
            sections=contents,
            titles=_TITLES,
            comparison=comparison,
            album=album,
            live=live,
            colours=_colours(sheet.styles),
            policy=_policy(live),
            style=_source("style.css"),
            script=_source("script.js"),
        )
    )
    tables |= {name: figure.table for name, figure in album.figures.items()}
    return Page(html, album.figures, tables, sheet.styles)


def waiting_page(message: str) -> str:
    """Make the page that a server shows before the study has begun."""
    return _environment().get_template("waiting.html.j2").render(message=message)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("runner.report"),
        autoescape=True,  # names come from a study file, which may not be trusted
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return made


def _visible(value: object) -> object:
    """Escape characters that reorder or hide the text around them, except in markup."""
    return printable_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _source(name: str) -> str:
    """Read a template file verbatim."""
    environment = _environment()
    text, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
    return text


def _policy(live: str) -> str:
    """Write the content security policy: only the page's own script runs, and nothing is loaded."""
    own = base64.b64encode(hashlib.sha256(_source("script.js").encode()).digest()).decode()
    connect = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src 'sha256-{own}'; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def _colours(of: tuple[Style, ...]) -> str:
    """Write the methods' colours as CSS: on light, on dark, and for the shapes of each method."""
    light = "".join(f"--t{i}:{colour};" for i, colour in enumerate(LIGHT))
    dark = "".join(f"--t{i}:{colour};" for i, colour in enumerate(DARK))
    each = "".join(f".m{i}{{--c:var(--t{style.tone})}}" for i, style in enumerate(of))
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{each}"
