"""The figures beside the verdict: decision map, leaderboard, heat map, head to head."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from runner.figures.marks import Axis, Bars, Figure, Mark, Panel, Points, Rule, Tiles
from runner.figures.scale import short
from runner.figures.sheet import LOWER, REGRET, Sheet, floats, plural, records, rests_on
from runner.wording import duration, listed


def decision_map(sheet: Sheet) -> Figure | None:
    """Which method to use, by the number of evaluations and the seconds that each takes."""
    frame = sheet.comparison.decision_map()
    known = frame[frame["method"].notna()]
    if known["evaluations"].nunique() < 2 or known["seconds_per_evaluation"].nunique() < 2:
        return None
    x, y = floats(known, "evaluations"), floats(known, "seconds_per_evaluation")
    across, down = np.unique(x), np.unique(y)[::-1]
    sure = known["sure"].fillna(False).astype(bool).tolist()
    names = [str(name) for name in known["method"]]
    hints = tuple(
        f"{short(a)} evaluations of {duration(b)}: {name}{'' if certain else ', unsure'}"
        for a, b, name, certain in zip(x, y, names, sure, strict=True)
    )
    tiles = Tiles(
        np.searchsorted(across, x).astype(np.float64),
        np.searchsorted(-down, -y).astype(np.float64),
        1.0,
        1.0,
        tuple(sheet.series(name) for name in names),
        unsure=tuple(not certain for certain in sure),
        hints=hints,
    )
    counts = pd.Series(names).value_counts()
    first, share = str(counts.index[0]), counts.iloc[0] / len(names)
    unsure = 1 - sum(sure) / len(sure)
    where = "everywhere on" if share == 1 else f"on {share:.0%} of"
    title = f"{first} is recommended {where} the map"
    title += f"; {unsure:.0%} of it is unsure" if unsure else ""
    return Figure(
        "01_decision_map",
        title,
        "Find how many evaluations you can pay for and how long one takes: the colour is the method to use, "
        "by these runs with their times replaced. Hatched: not sure.",
        rests_on(known),
        (
            Panel(
                Axis("evaluations", "category", categories=tuple(short(v) for v in across)),
                Axis("time of one evaluation", "category", categories=tuple(duration(v) for v in down)),
                (tiles,),
            ),
        ),
        frame,
        tuple(i for i, style in enumerate(sheet.styles) if style.name in set(names)),
    )


def leaderboard(sheet: Sheet) -> Figure | None:
    """Regret at the common budget, best first, with intervals."""
    board = sheet.comparison.leaderboard()
    known = board[board["regret"].notna()]
    if not len(known):
        return None
    names = [str(name) for name in known["method"]]
    marks: list[Mark] = []
    for place, row in enumerate(records(known)):
        marks.append(
            Points(
                np.array([row["regret"]]),
                np.array([float(place)]),
                sheet.series(str(row["method"])),
                low=np.array([row["lower"] if row["lower"] is not None else math.nan]),
                high=np.array([row["upper"] if row["upper"] is not None else math.nan]),
                texts=(f"{row['method']}: {short(row['regret'])}, {_interval(row['lower'], row['upper'])}",),
            )
        )
    best, worst = records(known)[0], records(known)[-1]
    title = f"{best['method']} has the lowest regret, {short(best['regret'], 2)}"
    if len(known) > 1:
        tied = [str(row["method"]) for row in records(known)[1:] if row["tied"]]
        title += f"; {listed(tied)} {'is' if len(tied) == 1 else 'are'} a practical tie" if tied else ""
        title += f"; {worst['method']} the highest, {short(worst['regret'], 2)}" if not tied else ""
    return Figure(
        "02_leaderboard",
        title,
        f"Interquartile mean of the regret at {short(sheet.comparison.common('trials'))} trials with its "
        "95 % interval over the seeds; 0 is the optimum, 1 no better than the reference value.",
        rests_on(known),
        (Panel(Axis(REGRET), Axis("", "category", categories=tuple(names)), tuple(marks)),),
        board,
    )


def _interval(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"interval {short(low)} to {short(high)}"


def heat_map(sheet: Sheet, problems: pd.DataFrame) -> Figure | None:
    """Regret of each method on each problem; ``problems`` is `Comparison.by_problem`."""
    known = problems[problems["regret"].notna()]
    if not len(known):
        return None
    rows = list(dict.fromkeys(str(name) for name in known["problem"]))
    columns = [style.name for style in sheet.styles]
    found = known[known["method"].isin(columns)]
    x = np.array([float(columns.index(str(name))) for name in found["method"]])
    y = np.array([float(rows.index(str(name))) for name in found["problem"]])
    good = (found["leads"].fillna(False) | found["tied"].fillna(False)).to_numpy(dtype=bool)
    regret = floats(found, "regret")
    texts = tuple(
        f"{'● ' if best else ''}{short(value, 2)}" for best, value in zip(good, regret, strict=True)
    )
    tiles = Tiles(x, y, 1.0, 1.0, shade=np.clip(regret, 0, 1), texts=texts)
    return Figure(
        "07_heatmap",
        _best_count(found.assign(good=good), len(rows)),
        "Regret at the common budget, mean over the seeds: the darker, the worse. A dot marks the best "
        "method of a problem and those in a practical tie with it.",
        f"n = {plural(len(rows), 'problem')} × {plural(int(found['seeds'].min()), 'seed')}.",
        (
            Panel(
                Axis("", "category", categories=tuple(columns)),
                Axis("", "category", categories=tuple(rows)),
                (tiles,),
            ),
        ),
        problems,
    )


def _best_count(found: pd.DataFrame, problems: int) -> str:
    counts = found.groupby("method")["good"].sum().sort_values(ascending=False, kind="stable")
    best = [str(name) for name, count in counts.items() if count == counts.iloc[0]]
    verb = "is" if len(best) == 1 else "are each"
    most = int(counts.iloc[0])
    where = "on every problem" if most == problems else f"on {most} of {plural(problems, 'problem')}"
    return f"{listed(best)} {verb} best or tied {where}"


def pairwise(sheet: Sheet) -> Figure | None:
    """The probability that the row's method beats the column's."""
    frame = sheet.comparison.beats()
    known = frame[frame["probability"].notna()]
    if not len(known):
        return None
    names = [style.name for style in sheet.styles]
    places = {name: float(i) for i, name in enumerate(names)}
    rows = records(known)
    tiles = Tiles(
        np.array([places[row["against"]] for row in rows]),
        np.array([places[row["method"]] for row in rows]),
        1.0,
        1.0,
        shade=np.array([row["probability"] for row in rows]),
        texts=tuple(f"{row['probability']:.2f}" for row in rows),
    )
    best = max(rows, key=lambda row: row["lower"])
    return Figure(
        "08_pairwise",
        f"{best['method']} beats {best['against']} with probability {best['probability']:.2f} "
        f"[{best['lower']:.2f}, {best['upper']:.2f}]",
        "Each cell: how probable it is that the method of the row ends a run better than that of the column "
        "on the same problem and seed; 0.5 is no difference.",
        rests_on(known),
        (
            Panel(
                Axis("column", "category", categories=tuple(names)),
                Axis("", "category", categories=tuple(names)),
                (tiles,),
            ),
        ),
        frame,
    )


def signed_ranks(sheet: Sheet) -> Figure | None:
    """Better, practically the same, worse: the Bayesian signed rank test against the reference."""
    frame = sheet.comparison.signed_rank(against="reference")
    known = frame[frame["p_better"].notna()]
    if not len(known):
        return None
    rows = records(known)
    y = np.arange(len(rows), dtype=np.float64)
    better, same = floats(known, "p_better"), floats(known, "p_same")
    of = [sheet.series(str(row["method"])) for row in rows]
    names = tuple(str(row["method"]) for row in rows)
    against = str(rows[0]["against"])
    texts = tuple(
        f"{row['method']}: better {row['p_better']:.2f}, same {row['p_same']:.2f}, worse {row['p_worse']:.2f}"
        for row in rows
    )
    none = [None] * len(rows)
    marks = (
        Bars(y, np.zeros(len(y)), better, of, texts),
        Bars(y, better, better + same, none, texts, tone=0.35),
        Bars(y, better + same, np.ones(len(y)), none, texts, tone=0.85),
        Rule(0.5, "x"),
    )
    sure = [str(row["method"]) for row in rows if row["p_better"] >= 0.95]
    title = f"No method is surely better than {against} across problems"
    if sure:
        title = f"{listed(sure)} {'is' if len(sure) == 1 else 'are'} practically better than {against}"
    return Figure(
        "08_signed_rank",
        title,
        f"From the left: probability of better than {against} (colour), practically the same (light grey), "
        f"worse (dark grey); differences of less than {short(sheet.comparison.plan.rope)} are the same.",
        rests_on(known),
        (Panel(Axis("probability", limits=(0, 1)), Axis("", "category", categories=names), marks),),
        frame,
    )


def critical_difference(sheet: Sheet) -> Figure | None:
    """Average ranks with the critical difference, where its gate is open."""
    test = sheet.comparison.friedman()
    frame = sheet.comparison.friedman_ranks()
    if test["cd"].isna().all() or frame["rank"].isna().all():
        return None
    cd = float(test["cd"].iloc[0])
    frame = frame.sort_values("rank", kind="stable")
    rows = records(frame)
    marks: list[Mark] = []
    for place, row in enumerate(rows):
        at = np.array([row["rank"]])
        text = (f"{row['method']}: rank {row['rank']:.2f}",)
        marks.append(
            Points(
                at,
                np.array([float(place)]),
                sheet.series(str(row["method"])),
                low=at,
                high=at + cd,
                texts=text,
            )
        )
    return Figure(
        "08_critical_difference",
        f"A gap of {cd:.2f} ranks is needed here to tell two methods apart",
        "Dots are average ranks; a method whose dot lies within the line of another is not told apart from "
        "it by Nemenyi's test.",
        rests_on(frame),
        (
            Panel(
                Axis(f"average rank, {LOWER}"),
                Axis("", "category", categories=tuple(str(row["method"]) for row in rows)),
                tuple(marks),
            ),
        ),
        frame,
    )
