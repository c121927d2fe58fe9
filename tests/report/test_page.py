"""The page as text and files: whole, escaped, and honest where there is little to say."""

import base64
import csv
import hashlib
import html.parser
import itertools
import os
import re
import sys

import pytest
from markupsafe import escape

from runner.errors import ResultsError
from runner.journal.files.own import LIST
from runner.report import make_page, write_report
from runner.report.figures import plot
from runner.report.figures.palette import Style
from runner.report.figures.scale import scales, short
from runner.report.views import Album, Cell, cell, csv_link, interval, number, percent, seconds
from runner.results.spreadsheet import to_csv
from runner.results.stats import Comparison
from runner.results.stats.verdict import verdicts
from tests.report.studies import BREAKOUT, EVIL, bowl, constant, failing, made, nan_only, problem

pytestmark = pytest.mark.xdist_group("report")  # one study is enough


class Reader(html.parser.HTMLParser):
    """Elements with their attributes, and the page's text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def read(page):
    return Reader(page.html)


def test_the_marked_row_of_each_leaderboard_is_the_one_that_is_decided(page, results):
    c = Comparison.of(results)
    boards = page.html.split('<div class="pick" data-group="board" data-value="')[1:]
    kept = page.tables["02_leaderboards"]
    places = [key for key, _ in kept.groupby(["axis", "budget"], sort=False)]
    assert len(boards) == len(places) >= 3
    for (axis, budget), text in zip(places, boards, strict=True):
        (row,) = re.findall(r'<tr class="lead">(.*?)</tr>', text, re.S)
        decision = c.decision(budget, axis)
        assert str(escape(decision.recommended)) in row
        assert f"<small>{decision.mark(decision.recommended)}</small>" in row
        assert decision.standing(decision.recommended) in row
    said = Reader(page.html).words
    for row in verdicts(c).to_dict("records"):
        assert row["sentence"] in said or row["reason"] in " ".join(said)


def test_the_page_asks_nobody_for_anything(page, read):
    for tag, attributes in read.elements:
        for name in ("src", "href", "action", "srcset", "data"):
            value = attributes.get(name) or ""
            assert not re.match(r"(?:\w+:)?//", value), (tag, value)
            assert ":" not in value.split("/")[0] or value.startswith("data:"), (tag, value)
    assert "@import" not in page.html
    assert "url(http" not in page.html


def test_names_and_values_and_errors_are_escaped(page, read):
    assert [tag for tag, _ in read.elements].count("script") == 2  # its own, and the data
    assert "alert(1)" in page.html
    assert "<script>alert" not in page.html
    assert BREAKOUT not in page.html
    assert EVIL in "".join(read.words)


def test_the_policy_allows_the_one_script_that_is_there(page):
    (script,) = re.findall(r"<script>(.*?)</script>", page.html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page.html)
    assert f"script-src &#39;sha256-{digest}&#39;" in policy
    assert policy.startswith("default-src &#39;none&#39;")


def test_every_section_is_linked_and_every_id_is_there_once(read):
    ids = [attributes["id"] for _, attributes in read.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for _, a in read.elements if (a.get("href") or "").startswith("#")}
    assert targets <= set(ids)
    assert {"verdict", "leaderboard", "anytime", "problems", "pairs", "cost", "generalisation"} <= targets
    assert {"search", "failures", "robustness", "method", "reproduce"} <= targets


def test_every_figure_has_a_finding_a_way_to_read_it_its_number_and_its_data(page):
    assert {"02_leaderboard", "03_anytime_trials", "05_rank", "07_heatmap", "08_pairwise"} <= set(
        page.figures
    )
    for name, figure in page.figures.items():
        assert figure.title, name
        assert figure.how.endswith("."), name
        assert figure.n.startswith("n = "), name
        assert len(figure.table), name
        for panel in figure.panels:
            assert panel.x.label or panel.x.kind == "category", name
            assert panel.y.label or panel.y.kind == "category", name


def test_data_of_a_figure_are_in_the_page_or_beside_it(page, read):
    links = [a["href"] for tag, a in read.elements if tag == "a" and not a["href"].startswith("#")]
    inside = [base64.b64decode(h.partition("base64,")[2]).decode() for h in links if h.startswith("data:")]
    assert to_csv(page.figures["05_rank"].table) in inside
    for href in links:
        assert href.startswith("data:text/csv") or href[len("tables/") : -len(".csv")] in page.tables


def written(results, page, only, folder):
    """A report with only some of the figures."""
    some = type(page)(page.html, {name: page.figures[name] for name in only}, page.tables, page.styles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.report.files.make_page", lambda _: some)
        return write_report(results, folder)


def names(folder):
    return {file.name for file in folder.iterdir() if file.name != LIST}


def test_files_are_those_of_the_page_and_of_an_earlier_report_nothing_stays(results, page, tmp_path):
    written(results, page, ("05_rank", "07_heatmap"), tmp_path)
    (tmp_path / "figures" / "curves_mine.png").touch()
    only = ("02_leaderboard", "07_heatmap")
    path = written(results, page, only, tmp_path)
    assert path.read_text(encoding="utf-8") == page.html
    assert names(tmp_path / "tables") == {f"{name}.csv" for name in page.tables}
    drawn = {f"{name}.{end}" for name in only for end in ("png", "svg")}
    assert names(tmp_path / "figures") == drawn | {"curves_mine.png"}
    assert names(tmp_path) == {"report.html", "figures", "tables"}
    with (tmp_path / "tables" / "02_leaderboard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == list(page.figures["02_leaderboard"].table["method"])
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="cannot be written"):
        write_report(results, tmp_path / "file")


@pytest.mark.parametrize("name", ["figures", "tables"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "pipe"])
def test_where_something_else_is_in_the_place_of_a_folder_nothing_is_written(
    results, page, tmp_path, name, kind
):
    to, other = tmp_path / "to", tmp_path / "other"
    to.mkdir()
    other.mkdir()
    (other / "01_x.png").write_text("precious")
    (other / "curves_x.csv").write_text("precious")
    if kind == "pipe":
        os.mkfifo(to / name)
    elif kind == "file":
        (to / name).write_text("precious")
    else:
        (to / name).symlink_to(other if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(ResultsError, match=f"expected a folder at '.*{name}', got a "):
        written(results, page, ("07_heatmap",), to)
    assert names(to) == {name}
    assert {file.read_text() for file in other.iterdir()} == {"precious"}
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_the_page_takes_the_place_of_what_has_its_name(results, page, tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    to = tmp_path / "to"
    to.mkdir()
    if kind == "pipe":
        os.mkfifo(to / "report.html")
    elif kind == "link":
        (to / "report.html").symlink_to(precious)
    else:
        (to / "report.html").hardlink_to(precious)
    path = written(results, page, (), to)
    assert path.read_text(encoding="utf-8") == page.html
    assert not path.is_symlink()
    assert precious.read_text() == "precious"


def test_a_report_may_be_written_behind_a_link(results, page, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "to").symlink_to(tmp_path / "real")
    written(results, page, ("07_heatmap",), tmp_path / "to")
    assert names(tmp_path / "real") == {"report.html", "figures", "tables"}


NOTHING = {
    "nothing yet": ({"most": 0}, "No trial has ended yet"),
    "all failed": ({"problems": [problem(failing)]}, "No trial was valid"),
    "NaN only": ({"problems": [problem(nan_only)]}, "No trial was valid"),
    "constant": ({"problems": [problem(constant)]}, "All trials have the same loss"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_where_nothing_can_be_compared_the_page_says_so(case, tmp_path):
    keys, said = NOTHING[case]
    page = make_page(made(tmp_path / "study", **keys))
    assert re.search(said, page.html)
    assert 'id="verdict"' not in page.html
    assert "02_leaderboard" not in page.figures
    assert "<script>alert" not in page.html


@pytest.mark.parametrize(
    ("penalty", "direction"),
    [(sys.float_info.max, "minimize"), (1e300, "maximize"), (1e9, "minimize")],
)
def test_penalties_are_drawn_off_the_scale_and_it_is_said(penalty, direction, tmp_path):
    sign = 1.0 if direction == "minimize" else -1.0

    def penalised(config):
        return sign * (penalty if config["x"] > 0 else (config["x"] + 1.0) ** 2)

    results = made(tmp_path / "study", problems=[problem(penalised, direction=direction)], seeds=3)
    page = make_page(results)
    assert f"Penalties, up to {short(sign * penalty)}, are off the scale" in page.html
    drawn = [figure for figure in page.figures.values() if "off the scale" in figure.how]
    assert {"curves_penalised", "11_parameters_penalised"} >= {figure.name for figure in drawn} != set()
    for figure in drawn:
        for panel in figure.panels:
            assert max(abs(scales(panel)[1].low), abs(scales(panel)[1].high)) < 1e3
        plot.render(figure, page.styles)
    values = page.tables["11_parameters_penalised"]["value"]
    assert (sign * values).max() == penalty, "the table holds what was measured"
    assert not re.search(r'd="[^"]*(?:inf|nan)', page.html)


def test_numbers_of_any_size_have_a_page(tmp_path):
    """As good as can be, too: nothing overflows on an axis of all floats."""
    ends = itertools.cycle([-sys.float_info.max, 0.0, sys.float_info.max, 1e-300])
    results = made(tmp_path / "study", problems=[problem(lambda config: next(ends), "any")], seeds=3)
    page = make_page(results)
    assert not re.search(r'd="[^"]*(?:inf|nan)', page.html)
    for name in ("curves_any", "11_parameters_any"):
        plot.render(page.figures[name], page.styles)


def test_a_study_of_one_method_has_a_page_that_suits_it(tmp_path):
    page = make_page(made(tmp_path / "study", methods=["random"], seeds=1))
    ids = {a.get("id") for _, a in Reader(page.html).elements}
    assert {"history", "search", "cost"} <= ids
    assert not ids & {"verdict", "leaderboard", "pairs", "robustness", "problems"}
    assert "notice bad" not in page.html
    assert "config = {" in page.html


def test_one_seed_gives_reasons_instead_of_intervals(tmp_path):
    page = make_page(made(tmp_path / "study", problems=[problem(bowl), problem(failing)], seeds=1))
    assert "little data" in page.html
    assert "08_signed_rank" not in page.figures
    assert page.tables["02_leaderboards"]["lower"].isna().all()


def test_an_interrupted_study_is_told_from_a_whole_one(tmp_path, page):
    part = make_page(made(tmp_path / "study", most=30))
    assert "unfinished and not running" in part.html
    assert "unfinished" not in page.html


@pytest.mark.parametrize(
    "value, text",
    [(None, "–"), (float("nan"), "–"), (0.05, "50 ms"), (3.21, "3.2 s"), (90, "90 s"), (600, "10 min"),
     (7300, "2 h"), (1e6, "11.6 days"), (float("inf"), "∞")],
)  # fmt: skip
def test_a_duration_has_the_unit_that_suits_it(value, text):
    assert seconds(value) == text


def test_cells_sort_by_numbers_and_missing_ones_go_last():
    assert cell(0.25, 2, 0.1, 0.4) == Cell("0.25", "[0.1, 0.4]", 0.25)
    assert cell(None).sort == cell(float("inf")).sort == ""
    assert (number(None), percent(None), interval(1, None)) == ("–", "–", "")
    assert percent(0.255) == "26%"


def test_large_tables_stay_outside_the_page(page):
    frame = page.tables["03_anytime_trials"]
    assert csv_link("x", frame).startswith("data:")
    assert csv_link("x", frame.loc[frame.index.repeat(200)]) == "tables/x.csv"


def test_a_figure_that_is_none_is_left_out():
    assert Album([Style("a", 1, "circle")]).add(None) is None
