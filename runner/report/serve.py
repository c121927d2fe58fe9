"""The report of a study directory at 127.0.0.1, kept up to date while the study runs.

It reads the journal as every reader does, in a process of its own with a low priority: the page must not
slow the study. ``python -m runner.report.serve DIR --port N`` is started by `Server`; it reports its URL in
one line of JSON, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Final

from runner.errors import FivefoldError, ResultsError
from runner.journal.schema import DATABASE
from runner.report import Page, make_page, waiting_page
from runner.report.figures import plot
from runner.report.listening import HOST, listen
from runner.results import Results
from runner.results.spreadsheet import to_csv

_LEAST_PAUSE: Final = 2.0  # seconds; an open page polls as often
_REST_PER_WORK: Final = 5.0  # rendering takes at most a sixth of one core
_NICENESS: Final = 10  # half way down: behind the study, before idle jobs
_LAST_LOOK: Final = 5.0  # seconds in which an open page may still fetch the last state: two polls
_ASKED_LATELY: Final = 6.0  # seconds; a page that has not polled for three rounds is closed
_START_SECONDS: Final = 60.0  # a page in the making is finished first; large studies take a while


class LivePage:
    """The latest page of a study directory; remade when the journal has changed.

    Parameters
    ----------
    folder : Path
        It need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = 0.0  # time of the last request for the page or its state
        self.seen = ""  # the last version that was fetched
        self.over = False
        self._lock = threading.Lock()
        self._version, self._html = "0", waiting_page(f"Waiting for the study in {folder.name}.")
        self._line = "waiting for the first trial"
        self._known: tuple[object, ...] = ()
        self._drawing = threading.Lock()
        self._shown: tuple[Page, dict[str, bytes]] | None = None  # with the files that were requested

    @property
    def fetched(self) -> bool:
        """True if the latest page was fetched."""
        with self._lock:
            return self.seen == self._version

    def state(self) -> dict[str, object]:
        """The state that an open page polls."""
        self.asked = time.monotonic()
        with self._lock:
            return {"version": self._version, "line": self._line, "over": self.over}

    def html(self) -> bytes:
        """The page."""
        self.asked = time.monotonic()  # a page that was just opened will poll
        with self._lock:
            self.seen = self._version
            return self._html.encode()

    def file(self, folder: str, name: str) -> bytes | None:
        """A table or a figure of the page; None if there is none of that name."""
        if self._shown is None:
            return None
        page, files = self._shown
        with self._drawing:  # each file is drawn once, one at a time
            place = f"{folder}/{name}"
            if place not in files:
                data = _file(page, folder, name)
                if data is None:
                    return None
                files[place] = data
            return files[place]

    def refresh(self) -> bool:
        """Remake the page if the journal has changed; return True if it has."""
        now = _stamp(self.folder)
        if now == self._known or not now:
            return False
        try:
            results = Results.open(self.folder)
            version = str(int(self._version) + 1)
            page = make_page(results, live=version)
            line = _line(results)
        except FivefoldError as error:
            with self._lock:
                self._line = str(error)
            return False
        with self._lock:
            self._known, self._shown, self._version = now, (page, {}), version
            self._html, self._line = page.html, line
        return True


def _file(page: Page, folder: str, name: str) -> bytes | None:
    stem, _, form = name.rpartition(".")
    if folder == "tables" and form == "csv" and stem in page.tables:
        return to_csv(page.tables[stem]).encode()
    if folder == "figures" and form in ("png", "svg") and stem in page.figures:
        return plot.render(page.figures[stem], page.styles)[form == "svg"]
    return None


def _stamp(folder: Path) -> tuple[object, ...]:
    """Read times and sizes that change with every transaction; empty if there is no journal yet."""
    stamp: list[object] = []
    for name in (DATABASE, f"{DATABASE}-wal"):
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            stamp += [status.st_mtime_ns, status.st_size]
    return tuple(stamp)


def _line(results: Results) -> str:
    runs = results.runs
    ended = int((runs["end_reason"] != "").sum())
    parts = [f"{len(results.trials):,} trials", f"{ended} of {len(runs)} runs ended"]
    return f"{', '.join(parts)}; as of {time.strftime('%H:%M:%S')}."


def serve(live: LivePage, server: ThreadingHTTPServer, end: threading.Event) -> None:
    """Answer, and keep the page up to date, until the event; then once more, for pages that are open."""
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    while not end.is_set():
        began = time.monotonic()
        live.refresh()
        end.wait(max(_LEAST_PAUSE, _REST_PER_WORK * (time.monotonic() - began)))
    live.refresh()
    live.over = True
    until = time.monotonic() + _LAST_LOOK
    while time.monotonic() < min(until, live.asked + _ASKED_LATELY) and not live.fetched:
        time.sleep(0.1)
    server.shutdown()
    server.server_close()


class Server:
    """The server as a process of its own, for the duration of the context.

    Parameters
    ----------
    folder : Path
        The study directory; it need not exist yet.
    port : int, default 0
        0 takes a free one.

    Attributes
    ----------
    url : str
        The address of the page.

    Raises
    ------
    ResultsError
        If it cannot listen there.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        command = [sys.executable, "-m", "runner.report.serve", str(folder), "--port", str(port)]
        # A session of its own: Ctrl-C is for the study, which then shuts the server down.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        answer = json.loads(line) if line else {"error": "the server process ended."}
        if "error" in answer:
            self.close()
            raise ResultsError(
                answer["error"], where="port" if line else "serve", hint=answer.get("hint", "")
            )
        self.url: str = answer["url"]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, after open pages had time to fetch the last state."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def main(arguments: list[str] | None = None) -> int:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m runner.report.serve")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(arguments)
    live = LivePage(options.folder)
    try:
        server = listen(live, options.port)
    except ResultsError as error:
        _report({"error": error.message, "hint": error.hint})
        return error.exit_code
    _report({"url": f"http://{HOST}:{server.server_address[1]}/"})
    end = threading.Event()
    threading.Thread(target=_wait_for_end_of_input, args=(end,), daemon=True).start()
    serve(live, server, end)
    return 0


def _wait_for_end_of_input(end: threading.Event) -> None:
    sys.stdin.read()
    end.set()


def _report(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.nice(_NICENESS)
    sys.exit(main())
