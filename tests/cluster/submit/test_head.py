"""The head from outside: addresses, tokens, and what answers that is no head. No Ray is started."""

import asyncio
import contextlib
import socket

import pytest
from aiohttp import web

from runner.cluster.submit import Head, check_address
from runner.cluster.submit import head as room
from runner.cluster.submit.address import find_token
from runner.errors import EngineError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(room, "_PAUSE", 0.01)
    return tmp_path


@pytest.mark.parametrize(
    "given, address",
    [
        ("http://head:8265", "http://head:8265"),
        ("http://head:8265/", "http://head:8265"),
        ("head", "http://head:8265"),
        ("10.0.0.1:80", "http://10.0.0.1:80"),
        ("https://ray.example.com", "https://ray.example.com:443"),
        ("http://[::1]:8265", "http://[::1]:8265"),
    ],
)
def test_addresses_are_completed(given, address):
    assert check_address(given) == address


@pytest.mark.parametrize(
    "given, sentence",
    [
        ("ray://head:10001", r"Ray Client is not supported: Tune .* dies with this connection"),
        (
            "auto",
            r"'auto' means the Ray of this machine\. On the head: fivefold run STUDY\.yaml --address auto",
        ),
        ("ftp://head", "expected an address such as http://HEAD:8265"),
        ("http://", "expected an address such as http://HEAD:8265"),
        ("http://head:port", "expected an address such as http://HEAD:8265"),
        ("http://head:8265/jobs", "expected an address such as http://HEAD:8265"),
        ("http://me:secret@head:8265", "passwords are not supported"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(given, sentence):
    with pytest.raises(EngineError, match=sentence):
        check_address(given)


def test_the_token_comes_from_where_ray_takes_it(home, monkeypatch):
    assert find_token() is None
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(" of the home\n")
    assert find_token() == "of the home"
    (home / "other").write_text("of the file")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "other"))
    assert find_token() == "of the file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "itself")
    assert find_token() == "itself"
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "missing"))
    with pytest.raises(EngineError, match="RAY_AUTH_TOKEN_PATH"):
        find_token()


class Pretender:
    """A server that speaks as much of a head's language as a test needs."""

    def __init__(self, token=None, version="2.60.0", tails=()):
        self.token, self.version, self.tails = token, version, list(tails)
        self.seen = []
        self.status = "SUCCEEDED"
        self.busy = 0  # how often a job is refused before one is taken

    async def answer(self, request):
        said = request.headers.get("Authorization")
        self.seen.append((request.method, request.path, said))
        if self.token is not None and said != f"Bearer {self.token}":
            return web.Response(status=401 if said is None else 403, text="no")
        if request.path == "/api/version":
            return web.json_response({"ray_version": self.version} if self.version else {"hello": "world"})
        if request.path.endswith("/logs/tail"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            text, whole = self.tails.pop(0)
            for piece in text:
                await socket.send_str(piece)
            if not whole:
                request.transport.close()
            return socket
        if request.method == "GET" and "/packages/" in request.path:
            return web.Response(status=404 if len(self.seen) < 4 else 200)
        if request.method == "POST" and self.busy:
            self.busy -= 1
            return web.Response(status=500, text="No available agent to submit job, please try again later.")
        if request.path.startswith("/api/jobs/"):
            return web.json_response({"status": self.status})
        return web.Response(status=500, text="Traceback\nValueError: it went wrong")


def visit(pretender, scenario):
    """The result of a scenario with the head that a pretender plays."""

    async def act():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", pretender.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        try:
            async with Head(f"http://127.0.0.1:{port}") as head:
                return await scenario(head)
        finally:
            await runner.cleanup()

    return asyncio.run(act())


async def notes_of(head):
    return list(head.notes)


def test_the_token_is_shown_only_to_who_asks_for_it(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    closed, open_to_all = Pretender("mine"), Pretender()
    assert visit(closed, notes_of) == []
    assert [said for *_, said in closed.seen] == [None, "Bearer mine"]
    (note,) = visit(open_to_all, notes_of)
    assert "requires no token: anybody who reaches it can run code on it" in note
    assert {said for *_, said in open_to_all.seen} == {None}


def test_a_head_for_all_the_world_is_refused(monkeypatch):
    monkeypatch.setattr(room, "public_address", lambda url: "8.8.8.8")
    with pytest.raises(
        EngineError, match=r"requires no token and listens on 8\.8\.8\.8: anybody can run code"
    ):
        visit(Pretender(), notes_of)


def test_a_token_over_an_open_network_is_told(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    monkeypatch.setattr(room, "is_here", lambda url: False)
    (note,) = visit(Pretender("mine"), notes_of)
    assert "the token is sent unencrypted" in note


@pytest.mark.parametrize(
    "pretender, sentence",
    [
        (Pretender("theirs"), "the token was rejected"),
        (Pretender(version="2.40.0"), r"expected Ray 2\.60, got 2\.40\.0"),
        (Pretender(version=""), "not a Ray dashboard"),
    ],
)
def test_what_is_no_head_for_us_is_told(monkeypatch, pretender, sentence):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    with pytest.raises(EngineError, match=sentence):
        visit(pretender, notes_of)


def test_a_package_is_sent_once():
    pretender = Pretender()

    async def twice(head):
        with pytest.raises(EngineError, match="request failed: ValueError: it went wrong"):
            await head.upload("a.zip", b"x")  # the PUT, to which this one has no answer
        return await head.upload("a.zip", b"x")

    assert visit(pretender, twice) == "gcs://a.zip"
    assert [method for method, *_ in pretender.seen] == ["GET", "GET", "PUT", "GET"]


def test_a_head_that_has_just_come_up_is_waited_for(monkeypatch):
    async def submit(head):
        await head.submit("job", "true", {}, {})

    patient = Pretender()
    patient.busy = 3
    visit(patient, submit)
    assert patient.busy == 0
    monkeypatch.setattr(room, "_READY_SECONDS", 0.0)
    never = Pretender()
    never.busy = 1000
    with pytest.raises(EngineError, match=r"no job accepted for 0 s.*agent-listen-port=0"):
        visit(never, submit)


def test_a_log_is_taken_up_again_where_it_was_lost():
    """The connection breaks within a line; each new one begins the log anew."""
    tails = [(["one\n", "tw"], False), (["one\n"], False), (["one\ntwo\nth", "ree\n"], True)]
    pretender = Pretender(tails=tails)

    async def read(head):
        return [text async for text in head.log("job")]

    assert "".join(visit(pretender, read)) == "one\ntwo\nthree\n"
    assert pretender.tails == []


def test_a_head_that_has_gone_is_given_up(monkeypatch):
    monkeypatch.setattr(room, "_PATIENCE", 0.05)
    pretender = Pretender(tails=[(["one\n"], False)])

    texts = []

    async def read(head):
        async for text in head.log("job"):
            texts.append(text)
            pretender.tails, pretender.token = [], "changed"

    with pytest.raises(EngineError, match="no answer from the head for"):
        visit(pretender, read)
    assert texts == ["one\n"]


def test_silence_and_nothing_are_told(monkeypatch):
    monkeypatch.setattr(room, "_ANSWER_SECONDS", 0.2)

    async def meet(address):
        async with Head(address):
            pass

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineError, match="no answer from the head") as told:
            asyncio.run(meet(address))
        assert "a tunnel to it open" in str(told.value)
    with pytest.raises(EngineError, match="no answer from the head"):
        asyncio.run(meet(address))


def test_without_the_extra_it_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "aiohttp", None)

    async def meet():
        with contextlib.suppress(AssertionError):
            async with Head("http://127.0.0.1:1"):
                pass

    with pytest.raises(
        EngineError, match=r"the extra 'cluster' is not installed\. Run: pip install 'fivefold\[cluster\]'"
    ):
        asyncio.run(meet())
