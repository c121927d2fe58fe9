"""Figure of generalisation: validation against held-out data."""

from __future__ import annotations

import numpy as np

from runner.report.figures.marks import Axis, Figure, Line, Mark, Panel, Points
from runner.report.figures.scale import short
from runner.report.figures.sheet import LOWER, Sheet, floats, plural, records
from runner.results.stats import generalisation as stats

_MOST_PANELS = 12  # four rows; the table has all problems


def generalisation(sheet: Sheet) -> Figure | None:
    """Draw validation against test loss of each run's incumbent, one panel per problem."""
    frame = stats.generalisation(sheet.comparison)
    known = frame[frame["test_loss"].notna() & frame["loss"].notna()]
    if not len(known):
        return None
    panels, notes = [], {""}
    problems = list(dict.fromkeys(str(name) for name in known["problem"]))
    for problem in problems[:_MOST_PANELS]:
        rows, note = sheet.limit(problem, losses=True).frame(
            known[known["problem"] == problem], ("loss", "test_loss")
        )
        notes.add(note)
        both = np.concatenate([floats(rows, "loss"), floats(rows, "test_loss")])
        bounds = np.array([both.min(), both.max()])
        marks: list[Mark] = [Line(bounds, bounds, None, markers=False, dashed=True)]
        for i, name, found in sheet.by_method(rows):
            texts = tuple(
                f"{name}, seed {row['seed']}: validation {short(row['loss'])}, test {short(row['test_loss'])}"
                for row in records(known.loc[found.index])
            )
            marks.append(Points(floats(found, "loss"), floats(found, "test_loss"), i, name, texts=texts))
        panels.append(
            Panel(Axis(f"validation loss, {LOWER}"), Axis(f"test loss, {LOWER}"), tuple(marks), problem)
        )
    worse = float((floats(known, "gap") > 0).mean())
    return Figure(
        "10_generalisation",
        f"The test loss is above the validation loss in {worse:.0%} of the runs",
        "Each point is the incumbent of one run, fitted again and scored on held-out data after the run; "
        f"points above the dashed line are worse there than in validation.{max(notes)}",
        f"n = {plural(len(known), 'run')} on {plural(len(problems), 'problem')}.",
        tuple(panels),
        frame,
        sheet.legend,
        "test equals validation",
    )
