"""Which method, and why: from the space, the budget, what a trial takes, and what was measured.

`advise` gives it for a problem; `Auto` is the method of a study that follows it. What it says of the
methods are figures of ``benchmarks/RESULTS.md``, kept in ``measured.json``, and of the user's own
finished studies.
"""

from runner.study.advice.auto import Auto, choose, make
from runner.study.advice.evidence import Evidence, gather_evidence
from runner.study.advice.facts import Facts, facts_of
from runner.study.advice.rules import Advice, advise

__all__ = ["Advice", "Auto", "Evidence", "Facts", "advise", "choose", "facts_of", "gather_evidence", "make"]
