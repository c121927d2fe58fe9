"""Start-up time of Python or the command, and a check that it does not load Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

_HELP = """
import sys
sys.argv = ["fivefold", "--help"]
from runner.cli.main import main
try:
    main()
except SystemExit:
    pass
"""
_SAYS_RAY = "\nimport sys; print('with ray' if 'ray' in sys.modules else 'without ray')"

COMMANDS = {
    "import": ([sys.executable, "-c", "import runner"], "import runner"),
    "help": ([str(Path(sys.executable).with_name("fivefold")), "--help"], _HELP),
    "ray": ([sys.executable, "-c", "import ray.tune"], "import ray.tune"),
}


def start(scratch, *, what):
    """Seconds of one new process from its start to its end, with compiled modules on the disk."""
    del scratch
    command, text = COMMANDS[what]
    # The compiled modules of an installed program are there; where they may not be written, each
    # start would compile the package again.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def run(line):
        return subprocess.run(line, env=env, capture_output=True, text=True, check=True).stdout

    said = run([sys.executable, "-c", text + _SAYS_RAY])  # warms the disk's cache too
    begin = time.perf_counter()
    run(command)
    seconds = time.perf_counter() - begin
    return {"finished": time.time(), "seconds": seconds, "with_ray": said.split("\n")[-2] == "with ray"}
