"""The benchmarks' tables and clocks on made-up figures, and one tiny measurement; no timing is judged."""

import json
from collections import deque

import numpy as np
import pytest

import runner.engine.batching
from benchmarks import clock, engine, methods, searches
from benchmarks.batches import without_batches
from benchmarks.measure import ARMS, MeasurementError, apart
from benchmarks.quality import functions
from benchmarks.quality.arms import regrets
from benchmarks.quality.simulation import Asker, asynchronous
from benchmarks.report import COLUMNS, Reach, Row, compare, section, write
from benchmarks.rows.quality import interval
from benchmarks.rows.savings import worse_p

ROWS = {"short": [Row("a", "b", "1 s")], "long": [Row("c", "d", "2 s")]}
NOTES = {"short": "How it\n    was done.", "long": "Otherwise."}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "RESULTS.md"
    write(path, "engine", "The engine", "A machine.", ROWS, NOTES)
    return path


def test_a_suite_replaces_its_own_section_only(table):
    write(table, "methods", "The methods", "Another.", {"x": [Row("e", "f", "3 s")]}, {"x": "So."})
    before = table.read_text()
    table.write_text(before + "\nWords of somebody.\n")
    write(table, "engine", "The engine", "A machine.", {"short": [Row("a", "b", "9 s")]}, {})
    after = table.read_text()
    assert section(after, "methods") == section(before, "methods")
    assert after.endswith("Words of somebody.\n")
    assert after.startswith(before.partition("<!--")[0])
    assert after.count("<!-- begin: engine -->") == after.count("<!-- end: engine -->") == 1
    assert "9 s" in after
    assert "1 s" not in after


def test_rows_of_benchmarks_that_were_not_run_stay(table):
    write(table, "engine", "The engine", "A machine.", {"short": [Row("a", "b", "9 s")]}, {"short": "New."})
    lines = section(table.read_text(), "engine").split("\n")
    assert [line for line in lines if line.startswith("| long")] == ["| long | c | d | 2 s | - | - | - | - |"]
    assert "- **short**: New." in lines
    assert "- **long**: Otherwise." in lines


def test_the_same_again_changes_nothing(table):
    before = table.read_bytes()
    write(table, "engine", "The engine", "A machine.", ROWS, NOTES)
    assert table.read_bytes() == before


def test_a_row_has_every_column(table):
    rows = [line for line in table.read_text().split("\n") if line.startswith("|")]
    assert {line.count("|") for line in rows} == {len(COLUMNS) + 1}


def test_a_section_without_an_end_is_refused(table):
    table.write_text(table.read_text().replace("<!-- end: engine -->", ""))
    with pytest.raises(ValueError, match="no end"):
        write(table, "engine", "The engine", "A machine.", ROWS, NOTES)


def test_medians_and_spread_and_ratios_per_turn():
    row = compare("a", "b", [1.0, 2.0, 4.0], [4.0, 10.0, 8.0], "s")
    assert (row.ours, row.theirs) == ("2 s (1 .. 4)", "8 s (4 .. 10)")
    assert row.ratio == "4 (2 .. 5)"  # of the medians, and the range over the turns
    assert compare("a", "b", [10.0], [4.0], "/s", more=True).ratio == "2.5"
    assert compare("a", "ideal", [10.5], 10, "s").ratio == "0.952"


@pytest.mark.parametrize(
    "ours, reach, reached",
    [
        ([10.5], Reach(0.95, "ratio"), "yes"),
        ([10.6], Reach(0.95, "ratio"), "**no**"),
        ([8.0], Reach(8.0, least=False), "yes"),
        ([8.1], Reach(8.0, least=False), "**no**"),
        ([5000.0], Reach(5000), "yes"),
        ([9.0, 4.0, 1.0], Reach(5.0), "**no**"),
        ([], Reach(5.0), "not measured"),
        ([1.0], None, "-"),
    ],
)
def test_targets(ours, reach, reached):
    assert compare("a", "b", ours, 10.0, "s", reach=reach).reached == reached


def test_what_could_not_be_measured_says_so():
    assert compare("a", "b", [1.0], [], "s").reached == "not measured"


def test_the_clock():
    spans = [(0.0, 2.0, 1), (2.0, 4.0, 1), (3.0, 4.0, 2)]
    found = clock.read(spans, workers=2)
    assert (found["trials"], found["seconds"], found["work"]) == (3, 4.0, 5.0)
    assert found["utilisation"] == 5 / 8
    assert (found["up"], found["utilisation_up"]) == (3.0, 1.0)
    assert json.loads(json.dumps(found)) == found


def test_the_clock_compares_the_first_thousand_with_the_last():
    spans, now = [], 0.0
    for i in range(4000):
        began, now = now, now + (0.5 if i < 2000 else 1.0)
        spans.append((began, now, 1))
    assert clock.read(spans, workers=1)["thousands"] == [500.0, 1000.0]


def test_workers_that_never_came_leave_no_figure():
    assert "utilisation_up" not in clock.read([(0.0, 1.0, 1)], workers=2)


def test_differences_that_are_worse():
    assert worse_p([0.0, 0.0]) == 1.0
    assert worse_p([-1.0, -2.0, -3.0, -4.0, -5.0]) > 0.9
    assert worse_p([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) < 0.05


def test_batches_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(
        runner.engine.batching, "MOST_JOBS", runner.engine.batching.MOST_JOBS
    )  # put back afterwards
    without_batches()
    load = runner.engine.batching.Load(deque(range(9)), lambda _: 0.0, 5)
    load.draw()
    assert load.items == [0]


ALL = [*engine.BENCHMARKS.values(), *methods.BENCHMARKS.values(), *searches.BENCHMARKS.values()]


@pytest.mark.parametrize("make", ALL, ids=lambda make: f"{make.__module__}.{make.__name__}")
@pytest.mark.parametrize("quick", [True, False])
def test_every_benchmark_makes_rows_even_where_nothing_was_measured(make, quick):
    benchmark = make(quick)
    rows = benchmark.rows({arm.label: [] for arm in benchmark.arms})
    assert all(isinstance(row, Row) and row.reached != "yes" for row in rows)
    assert len({arm.label for arm in benchmark.arms}) == len(benchmark.arms)
    assert {arm.name for arm in benchmark.arms} <= ARMS.keys()
    json.dumps([arm.params for arm in benchmark.arms])


def test_one_measurement_without_ray():
    found = apart(
        "fivefold",
        {
            "keys": {"methods": ["random"], "budget": {"trials": 5}},
            "objective": {"work": "busy", "seconds": 0.001},
            "workers": 0,
        },
    )
    assert (found["trials"], found["evaluated"], found["rows"]) == (5, 5, 5)
    assert found["spawned"] < found["first"] < found["last"] <= found["durable"] <= found["finished"]
    assert found["work"] >= 5 * 0.001
    assert found["megabytes"] > 0


def test_a_measurement_that_fails_says_why():
    with pytest.raises(MeasurementError, match="method: unknown key"):
        apart("fivefold", {"keys": {"method": ["random"]}, "workers": 0})


def test_a_side_whose_trials_fail_is_no_figure():
    space = {"x": {"choice": ["a", "b"]}}  # the objective cannot calculate with letters
    with pytest.raises(MeasurementError, match="FAILED"):
        apart(
            "fivefold",
            {
                "keys": {"methods": ["random"], "budget": {"trials": 2}},
                "objective": {"space": space},
                "workers": 0,
            },
        )


def test_a_quick_run_writes_its_rows(tmp_path, capsys):
    path = tmp_path / "RESULTS.md"
    assert engine.main(["--quick", "--only", "start", "--out", str(path)]) == 0
    text = section(path.read_text(), "engine")
    assert "loads no Ray" in text
    assert "--only start" in text
    assert "loads no Ray" in capsys.readouterr().out


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        engine.main(["--only", "quickest"])
    assert "known are short" in capsys.readouterr().err


def test_figures_that_are_kept_are_not_measured_again(tmp_path, capsys):
    command = ["--quick", "--only", "conditional", "--skip", "Optuna TPESampler,hyperopt,bayes"]
    for _ in range(2):
        assert methods.main([*command, "--figures", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[: len(said) // 2] == said[len(said) // 2 :]
    assert {path.name for path in tmp_path.iterdir()} == {
        "conditional_tpe_0.json",
        "conditional_random_0.json",
    }
    assert "conditional: bayes, regret | random | not measured" in said[0]


# -- functions and simulated runs ----------------------------------------------------------------


@pytest.mark.parametrize("name", [*functions.SMOOTH, "mixed8", "mixed8-rough", "conditional"])
def test_a_function_has_no_less_than_its_optimum(name):
    """By draws, and by small steps from the best of them."""
    for seed in range(2):
        function, rng = functions.make(name, seed), np.random.default_rng(seed)
        row = min(
            rng.random((300, function.space.d)), key=lambda u: function.objective(function.space.decode(u))
        )
        for _ in range(300):
            step = np.clip(row + 0.02 * rng.standard_normal(len(row)), 0.0, 1.0)
            row = min(row, step, key=lambda u: function.objective(function.space.decode(u)))
        assert function.objective(function.space.decode(row)) >= function.optimum - 1e-9
    one, other = (functions.make(name, seed) for seed in (0, 1))
    assert one.objective(one.space.decode(row)) != other.objective(one.space.decode(row))
    assert one.objective(one.space.decode(row)) == functions.make(name, 0).objective(one.space.decode(row))


class Counting(Asker):
    """Its configs are numbers; it writes down what it knew when it was asked."""

    def __init__(self):
        self.asked, self.told, self.knew = 0, [], []

    def ask(self):
        self.knew.append(set(self.told))
        self.asked += 1
        return self.asked - 1, {"x": self.asked - 1}

    def tell(self, token, config, loss):
        self.told.append(token)


def test_a_simulated_run_keeps_so_many_in_flight_and_ends_them_out_of_order():
    asker = Counting()
    losses, seconds = asynchronous(asker, lambda config: float(config["x"]), 30, 8, 0)
    assert losses == [float(i) for i in range(30)]
    assert len(seconds) == 30
    assert [len(known) for known in asker.knew] == [max(0, i - 7) for i in range(30)]
    assert asker.told != sorted(asker.told)


def test_a_part_of_the_space_can_fail():
    found = regrets(None, "random", ["branin"], 2, 40, failing=0.3)
    plain = regrets(None, "random", ["branin"], 2, 40)
    assert all(a >= b for a, b in zip(found["regrets"]["branin"], plain["regrets"]["branin"], strict=True))


def test_intervals_of_the_median():
    assert interval(list(range(10))) == (1, 8)  # misses the median with probability 22 / 1024
    assert interval([3.0, 1.0]) == (1.0, 3.0)
