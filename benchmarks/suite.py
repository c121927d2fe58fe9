"""The command of a suite of benchmarks: measure what is named, write its section of the table.

Each measurement runs in a process of its own; the sides of a comparison run in turn, A B A B. The
section is written anew after each benchmark; rows of other benchmarks stay.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.measure import ROOT, Benchmark, in_turn, one

RESULTS = ROOT / "benchmarks/RESULTS.md"


@dataclass(frozen=True)
class Suite:
    """Benchmarks and their section of the results.

    Attributes
    ----------
    name : str
        Of the section, and of the module that is its command.
    title : str
    benchmarks : mapping of str to callable
        From whether it shall be quick to a `Benchmark`.
    about : str
        What the section says before its table, beside what machine it was.
    """

    name: str
    title: str
    benchmarks: Mapping[str, Callable[[bool], Benchmark]]
    about: str = ""

    def main(self, given: Sequence[str] | None = None) -> int:
        """Run the command; its exit code."""
        options = self._options(given)
        if options.one:
            print(json.dumps(one(options.one, options.scratch, json.loads(options.params))))
            return 0
        command = [
            "python",
            "-m",
            f"benchmarks.{self.name}",
            *telling(sys.argv[1:] if given is None else given),
        ]
        out = options.out or (None if options.quick else RESULTS)
        intro = " ".join([*self.about.split(), report.machine()])
        failed = 0
        for name in options.only:
            benchmark = self.benchmarks[name](options.quick)
            turns = benchmark.turns or options.repeats
            made = report.made(command, turns)
            found, failures = in_turn(
                benchmark,
                turns,
                lambda text: print(text, file=sys.stderr, flush=True),
                options.figures,
                options.skip,
            )
            failed += failures
            rows = benchmark.rows(found)
            for row in rows:
                print(" | ".join([name, row.what, row.against, row.ours, row.theirs, row.ratio, row.reached]))
            if out:
                note = f"{benchmark.note} {made}"
                report.write(out, self.name, self.title, intro, {name: rows}, {name: note})
        return 1 if failed else 0

    def _options(self, given: Sequence[str] | None) -> argparse.Namespace:
        def names(text: str) -> list[str]:
            found = text.split(",")
            for name in found:
                if name not in self.benchmarks:
                    known = ", ".join(self.benchmarks)
                    raise argparse.ArgumentTypeError(f"there is no '{name}'; known are {known}")
            return found

        parser = argparse.ArgumentParser(f"benchmarks.{self.name}", description=self.title)
        parser.add_argument(
            "--only", type=names, default=list(self.benchmarks), help="names, with commas between"
        )
        parser.add_argument(
            "--skip", type=lambda text: text.split(","), default=[], help="sides that are not measured"
        )
        parser.add_argument("--repeats", type=int, default=3, help="turns of each comparison")
        parser.add_argument("--quick", action="store_true", help="tiny sizes; prints and writes nothing")
        parser.add_argument("--out", type=Path, help=f"default: {RESULTS.relative_to(ROOT)}")
        parser.add_argument(
            "--figures",
            type=Path,
            help="a folder that keeps figures, so that what is there is not measured again",
        )
        parser.add_argument(
            "--one", metavar="ARM", help="one measurement in this process, as one line of JSON"
        )
        parser.add_argument("--params", default="{}", help="of the measurement, as JSON")
        parser.add_argument("--scratch", help="an empty folder for the measurement")
        return parser.parse_args(given)


def telling(given: Sequence[str]) -> list[str]:
    """The options that matter for what was measured: not where anything is written."""
    kept, skip = [], False
    for text in given:
        where = text in ("--figures", "--out")
        if not skip and not where:
            kept.append(text)
        skip = where
    return kept
