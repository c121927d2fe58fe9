"""The page of a live study: at 127.0.0.1, for who asks there, and always of the latest trials."""

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest
from typer.testing import CliRunner

from runner.cli.main import app
from runner.errors import ResultsError
from runner.report import listening
from runner.report.listening import HOST, MOST_CONNECTIONS, listen
from runner.report.serve import LivePage, main, serve
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


def half_open(port, sent=b"GET / HTTP/1.1\r\nHost: "):
    connection = socket.create_connection((HOST, port), timeout=200)
    with contextlib.suppress(ConnectionError):  # it may be cut already
        connection.sendall(sent)
    return connection


def is_cut(connection):
    """Wait until the server has ended it."""
    try:
        while connection.recv(2**20):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: ", b"GET /" + b"x" * 60_000])
def test_hundreds_of_connections_that_ask_nothing_hold_nobody_up(served, sent):
    _, port = served
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(4):
            connections += [stack.enter_context(half_open(port, sent)) for _ in range(100)]
            assert ask(port, "/state")[0] == 200
            assert threading.active_count() <= before + MOST_CONNECTIONS + 5
        assert all(map(is_cut, connections[: -MOST_CONNECTIONS - 1]))


def test_a_connection_lasts_only_so_long(served, monkeypatch):
    _, port = served
    monkeypatch.setattr(listening, "LONGEST_SECONDS", 0.3)
    with half_open(port) as silent, half_open(port) as slow:
        done = threading.Event()

        def trickle():
            while not done.wait(0.05):
                try:
                    slow.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        assert is_cut(silent)
        assert is_cut(slow)
        done.set()
        thread.join()


def test_a_reader_that_does_not_read_is_cut(served, monkeypatch, capfd):
    live, port = served
    monkeypatch.setattr(live, "html", lambda: bytes(50_000_000))
    monkeypatch.setattr(listening, "LONGEST_SECONDS", 0.3)
    before = threading.active_count()
    request = f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(half_open(port, request))
        until = time.monotonic() + 60
        while threading.active_count() > before and time.monotonic() < until:
            time.sleep(0.02)
        assert threading.active_count() == before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_a_question_of_any_size_gets_a_short_answer(served, sent, status, capfd):
    _, port = served
    with half_open(port, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(2**16):
                answer += piece
    assert status in answer or not answer, "what was not read may have reset the connection"
    assert ask(port, "/state")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_figure_is_drawn_once_for_all_who_ask(served, tmp_path, monkeypatch):
    live, port = served
    play(tmp_path / "study", small())
    live.refresh()
    drawn = []

    def render(figure, styles):
        drawn.append(figure.name)
        time.sleep(0.1)
        return b"png", b"svg"

    monkeypatch.setattr("runner.report.serve.plot.render", render)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(port, "/figures/05_rank.png"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, "image/png", "png")] * 8
    assert drawn == ["05_rank"]


def test_a_port_that_is_taken_is_a_sentence(capsys):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ResultsError, match=f"cannot use port {port} of {HOST}"):
            listen(LivePage, port)
        assert main(["nowhere", "--port", str(port)]) == 2
        assert json.loads(capsys.readouterr().out)["hint"].endswith("to take a free one.")


def test_an_open_page_takes_new_trials_over_and_the_end_too(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("runner.report.serve._LAST_LOOK", 200.0)  # a machine may be busy
    monkeypatch.setattr("runner.report.serve._ASKED_LATELY", 200.0)
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
