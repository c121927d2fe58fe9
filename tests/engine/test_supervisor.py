"""The parent of a command: what it makes of each end of its child."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

HEAD = """
import ctypes, os, signal, sys, time
from runner.engine.supervisor import say_begun, say_done, supervised, was_restarted
def main():
    print("run", was_restarted(), flush=True)
"""


def start(body, **keys):
    """A program whose child does this."""
    text = HEAD + "".join(f"    {line}\n" for line in body.splitlines()) + "supervised(main)\n"
    keys = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | keys
    return subprocess.Popen(
        [sys.executable, "-c", text], env={**os.environ, "FIVEFOLD_SUPERVISOR": ""}, **keys
    )


def end(process, timeout=20):
    out, err = process.communicate(timeout=timeout)
    return out.split("\n")[:-1], err, process.returncode


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_an_end_that_was_decided_is_passed_on(code):
    out, err, found = end(start(f"say_begun(); say_done(); sys.exit({code})"))
    assert (out, err, found) == (["run False"], "", code)


DEATHS = [
    "os.kill(os.getpid(), signal.SIGKILL)",
    "ctypes.string_at(0)",
    "os.abort()",
    "os._exit(0)",
    "os._exit(5)",
    "ctypes.CDLL(None).exit(0)",
    "os.execv('/bin/true', ['true'])",
]


@pytest.mark.parametrize("death", DEATHS)
def test_where_a_trial_ends_the_process_another_goes_on(death):
    out, err, code = end(start(f"say_begun()\nif not was_restarted(): {death}\nsay_done()\nsys.exit(3)"))
    assert (out, code) == (["run False", "run True"], 3)
    assert "restarting" in err


@pytest.mark.parametrize("death", DEATHS)
def test_where_no_trial_had_begun_it_is_an_error(death):
    out, err, code = end(start(death))
    assert out == ["run False"]
    assert code != 0
    assert err.startswith("error: the command was ")


def test_what_python_raises_is_printed_and_ends_it():
    out, err, code = end(start("say_done(); raise ValueError('no')"))
    assert (out, code) == (["run False"], 1)
    assert "ValueError: no" in err


WAITING = """
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append('TERM'))
signal.signal(signal.SIGINT, lambda *_: heard.append('INT'))
say_begun()
print('ready', flush=True)
until = time.monotonic() + 10
while not heard and time.monotonic() < until: time.sleep(0.01)
time.sleep(0.2)
print(heard, flush=True)
os._exit(9)
"""


@pytest.mark.parametrize("number, name", [(signal.SIGTERM, "TERM"), (signal.SIGINT, "INT")])
def test_a_signal_is_passed_on_once_and_then_nothing_is_restarted(number, name):
    process = start(WAITING)
    assert process.stdout.readline() == "run False\n"
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err, code = end(process)
    assert (out, err, code) == ([f"['{name}']"], "", 9)


@pytest.mark.skipif(sys.platform != "linux", reason="a pseudo-terminal as Linux has it")
def test_ctrl_c_in_a_terminal_reaches_the_child_once():
    ours, theirs = os.openpty()
    process = start(WAITING, stdin=theirs, start_new_session=True, preexec_fn=lambda: _control(theirs))
    os.close(theirs)
    assert process.stdout.readline() == "run False\n"
    assert process.stdout.readline() == "ready\n"
    os.write(ours, b"\x03")
    out, _, code = end(process)
    os.close(ours)
    assert (out, code) == (["['INT']"], 9)


def _control(terminal):
    """Make a terminal that of this session."""
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def test_the_child_does_not_outlive_its_parent():
    process = start("print(os.getpid(), flush=True)\ntime.sleep(60)")
    process.stdout.readline()
    child = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    gone, _ = psutil.wait_procs([child], timeout=10)
    process.communicate()
    assert gone


def test_it_can_be_left_out():
    text = HEAD + "supervised(main)\nprint('not reached')\n"
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "FIVEFOLD_SUPERVISOR": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "run False\n"


def test_a_program_that_listens_to_its_own_output_is_not_forked(capsys):
    from runner.engine.supervisor import supervised

    here = os.getpid()

    def main():
        print(os.getpid() == here, time.monotonic() > 0)

    with pytest.raises(SystemExit):
        supervised(main)
    assert capsys.readouterr().out == "True True\n"
