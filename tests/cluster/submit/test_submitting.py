"""What becomes of a job, told by exit codes and sentences; and the options that exclude each other."""

import asyncio

import pytest
from typer.testing import CliRunner

from runner.cli.main import app
from runner.cluster.submit import Order, follow, status, stop, submit
from runner.cluster.submit import submitting as room
from runner.cluster.submit.package import Package
from runner.cluster.submit.submitting import exit_code
from runner.errors import EngineError, FivefoldError
from runner.study.study import Study


@pytest.fixture
def study():
    return Study.build(name="told", problems=["branin"], methods=["random"], seeds=1, budget={"trials": 2})


class HeadWithJobs:
    """A head that knows some jobs, and takes new ones."""

    address = "http://head:8265"

    def __init__(self, *jobs, text=""):
        self.known = list(jobs)
        self.text, self.stopped = text, []

    async def jobs(self):
        return self.known

    async def job(self, name):
        return next(job for job in self.known if job["submission_id"] == name)

    async def upload(self, name, content):
        return f"gcs://{name}"

    async def submit(self, name, entrypoint, metadata, runtime_env):
        new = {"submission_id": name, "status": "PENDING", "metadata": metadata, "runtime_env": runtime_env}
        self.known.insert(0, new | {"entrypoint": entrypoint})

    async def stop(self, name):
        self.stopped.append(name)
        (await self.job(name))["status"] = "STOPPED"

    async def log_so_far(self, name):
        return self.text

    async def log(self, name):
        for start in range(0, len(self.text), 7):  # lines come in pieces
            yield self.text[start : start + 7]


def job(status, study="told", code=None, **more):
    metadata = {"fivefold": "run", "study": study, "digest": "other"}
    return {"submission_id": "it", "status": status, "metadata": metadata, "driver_exit_code": code} | more


def order(study, **more):
    return Order(study, Package("_ray_pkg_1.zip", b"", "study.yaml", (("study.yaml", 1),)), **more)


def test_a_study_is_one_job_at_a_time(study):
    head = HeadWithJobs(job("SUCCEEDED"), job("RUNNING", "another"))
    name, new = asyncio.run(submit(head, order(study)))
    assert new
    assert name.startswith("fivefold-told-")
    made = head.known[0]
    assert made["runtime_env"]["working_dir"] == "gcs://_ray_pkg_1.zip"
    assert made["runtime_env"]["env_vars"] == {"RAY_JOB_STOP_WAIT_TIME_S": "30"}
    assert asyncio.run(submit(head, order(study))) == (name, False)
    assert len(head.known) == 3
    with pytest.raises(EngineError, match="'told' is already running from other files or with other options"):
        asyncio.run(submit(head, order(study, options=("--workers=3",))))


@pytest.mark.parametrize(
    "said, code",
    [
        (job("SUCCEEDED", code=0), 0),
        (job("FAILED", code=1), 1),
        (job("FAILED", code=3), 3),
        (job("STOPPED"), 130),
    ],
)
def test_the_exit_code_is_that_of_the_command_on_the_head(said, code):
    assert asyncio.run(exit_code(HeadWithJobs(said), "it")) == code


@pytest.mark.parametrize(
    "said, sentence",
    [
        (job("FAILED", code=127), "fivefold is not installed on the head. Install it on every node"),
        (job("FAILED", message="Traceback:\nNo space left"), "the job failed: Traceback:; No space left"),
        (job("FAILED", code=-9, message=None), "the job failed: no reason given"),
    ],
)
def test_what_never_ran_is_told(said, sentence):
    with pytest.raises(EngineError) as told:
        asyncio.run(exit_code(HeadWithJobs(said), "it"))
    assert sentence in str(told.value)


TEXT = """2026-11-25 22:03:12,220	INFO job_manager.py:581 -- Runtime env is setting up.
Running entrypoint for job it: exec fivefold run
told: 1 method
1/2 trials
last, without an end"""


def test_the_log_is_given_line_by_line_without_rays_own():
    async def read():
        return [line async for line in follow(HeadWithJobs(job("RUNNING"), text=TEXT), "it")]

    assert asyncio.run(read()) == ["told: 1 method", "1/2 trials", "last, without an end"]


def test_status_and_stop(study, monkeypatch):
    running = HeadWithJobs(job("RUNNING", start_time=1000), text=TEXT)
    first, began, *last = asyncio.run(status(running, study))
    assert first == "told: running as it on http://head:8265"
    assert began == "started 1970-01-01 00:00:01 UTC"
    assert last == ["told: 1 method", "1/2 trials", "last, without an end"]
    assert "stopped; finished trials are saved" in asyncio.run(stop(running, study))
    assert running.stopped == ["it"]
    assert "already ended (stopped)" in asyncio.run(stop(running, study))
    for ask in (status, stop):
        with pytest.raises(EngineError, match="no job of the study 'told'"):
            asyncio.run(ask(HeadWithJobs(job("RUNNING", "another")), study))
    monkeypatch.setattr(room, "_STOP_SECONDS", 0)
    stubborn = HeadWithJobs(job("RUNNING"))
    stubborn.stop = lambda name: asyncio.sleep(0)
    with pytest.raises(EngineError, match="still running"):
        asyncio.run(stop(stubborn, study))


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--status", "--stop"], "mutually exclusive"),
        (["--fetch", "--detach"], "mutually exclusive"),
        (["--to", "x"], "--to: requires --fetch"),
        (["--address", "ray://head:10001"], "Ray Client is not supported"),
        (["--address", "auto"], "'auto' means the Ray of this machine"),
    ],
)
def test_wrong_options_are_told_before_anything_is_asked(tmp_path, words, sentence):
    (tmp_path / "study.yaml").write_text(
        "{name: x, problems: [branin], methods: [random], budget: {trials: 1}}"
    )
    done = CliRunner().invoke(app, ["submit", str(tmp_path / "study.yaml"), *words])
    assert isinstance(done.exception, FivefoldError)
    assert sentence in str(done.exception)
    assert done.exception.exit_code == 2


def test_a_wrong_study_is_told_here_and_not_on_the_head(tmp_path):
    (tmp_path / "study.yaml").write_text(
        "{name: x, problems: [brannin], methods: [random], budget: {trials: 1}}"
    )
    done = CliRunner().invoke(
        app, ["submit", str(tmp_path / "study.yaml"), "--address", "http://127.0.0.1:1"]
    )
    assert "no built-in problem 'brannin'" in str(done.exception)
