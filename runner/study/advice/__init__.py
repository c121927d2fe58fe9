"""Advice on the method, from the space, the budget, the cost of a trial, and measurements.

`advise` chooses a method for a problem; `Auto` is the method of a study that follows it. The figures come
from ``benchmarks/RESULTS.md``, kept in ``measured.json``, and from the user's own finished studies.
"""

from runner.study.advice.auto import Auto, choose, make
from runner.study.advice.evidence import Evidence, gather_evidence
from runner.study.advice.facts import Facts, facts_of
from runner.study.advice.rules import Advice, advise

__all__ = ["Advice", "Auto", "Evidence", "Facts", "advise", "choose", "facts_of", "gather_evidence", "make"]
