"""The page of a live study: at 127.0.0.1, for who asks there, and always of the latest trials."""

import http.client
import json
import socket
import threading

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.errors import ResultsError
from runner.serve import HOST, LivePage, listen, main, serve
from tests.report.test_browser import opened
from tests.studies import HILL, play, study


def small(**keys):
    return study(problems=[HILL], **keys)


def ask(port, path, host=None, method="GET"):
    connection = http.client.HTTPConnection(HOST, port, timeout=200)
    connection.request(method, path, headers={"Host": host or f"{HOST}:{port}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body.decode(errors="replace")


@pytest.fixture
def served(tmp_path):
    """A page of a directory that does not exist yet, its port, and how to end it."""
    live = LivePage(tmp_path / "study")
    server, end = listen(live, 0), threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield live, server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()
    end.set()


def test_it_follows_the_journal_and_serves_nothing_else(served, tmp_path):
    live, port = served
    assert not live.refresh()
    status, kind, text = ask(port, "/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "Waiting for the study" in text
    play(tmp_path / "study", small(), most=7)
    assert live.refresh()
    assert not live.refresh()  # nothing new
    first = json.loads(ask(port, "/state")[2])
    assert first["line"].startswith("7 trials, 1 of 4 runs ended")
    text = ask(port, "/")[2]
    assert f'data-live="{first["version"]}"' in text
    assert "unfinished" in text
    play(tmp_path / "study", small())
    assert live.refresh()
    second = json.loads(ask(port, "/state")[2])
    assert second["version"] != first["version"]
    assert second["line"].startswith("24 trials, 4 of 4 runs ended")
    assert "unfinished" not in ask(port, "/")[2]
    assert ask(port, "/tables/02_leaderboards.csv")[:2] == (200, "text/csv; charset=utf-8")
    for path in (
        "/study.db",
        "/../study/study.db",
        "/tables/../study.db",
        "/tables/x.csv",
        "/figures/05_rank.gif",
    ):
        assert ask(port, path)[0] == 404
    assert ask(port, "/", host="evil.example:80")[0] == 403
    assert ask(port, "/", method="POST")[0] == 501


def test_a_port_that_is_taken_is_a_sentence(capsys):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ResultsError, match=f"the port {port} of {HOST} cannot be used"):
            listen(LivePage, port)
        assert main(["nowhere", "--port", str(port)]) == 2
        assert json.loads(capsys.readouterr().out)["hint"].endswith("a free one is taken.")


def test_an_open_page_takes_new_trials_over_and_the_end_too(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("runner.serve._LAST_LOOK", 200.0)  # a machine may be busy
    monkeypatch.setattr("runner.serve._ASKED_LATELY", 200.0)
    folder = tmp_path / "study"
    play(folder, small(), most=9)
    live = LivePage(folder)
    live.refresh()
    server, end = listen(live, 0), threading.Event()
    url = f"http://{HOST}:{server.server_address[1]}/"
    thread = threading.Thread(target=serve, args=(live, server, end), daemon=True)
    thread.start()
    with opened(browser, url, own=(url,)) as tab:
        tab.locator("text=unfinished").first.wait_for()
        tab.select_option("#budget", tab.eval_on_selector_all("#budget option", "all => all.at(-1).value"))
        play(folder, small())
        end.set()
        tab.locator("text=4 of 4 runs ended").first.wait_for()
        tab.locator("text=unfinished").wait_for(state="detached")
        assert tab.locator("#leaderboard .pick:not([hidden])").count() == 1
        thread.join(200)
        assert not thread.is_alive()


def test_run_serves_its_report_and_report_writes_it(tmp_path):
    """By the command, with the server in a process of its own."""
    path = tmp_path / "s.yaml"
    path.write_text("{name: s, problems: [branin], methods: [random], seeds: 1, budget: {trials: 6}}")
    out = tmp_path / "out"
    ran = CliRunner().invoke(app, ["run", str(path), "--workers", "0", "--out", str(out), "--serve"])
    assert ran.exit_code == 0, ran.output
    assert f"report: http://{HOST}:" in ran.output
    made = CliRunner().invoke(app, ["report", str(out), "--to", str(tmp_path / "to")])
    assert made.exit_code == 0, made.output
    assert (tmp_path / "to" / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "to" / "figures" / "curves_branin.svg").exists()
    nothing = CliRunner().invoke(app, ["report", str(tmp_path / "none")])
    assert nothing.exit_code != 0
