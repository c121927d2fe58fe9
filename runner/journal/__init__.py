"""Writing a study directory: every finished trial is durable before its method hears of it.

What lies in the directory, and how it is read, is in `runner.record`; here are its one writer,
and what must stay equal for a study to be gone on with.
"""

from runner.journal.merge import merge
from runner.journal.writer import Journal

__all__ = ["Journal", "merge"]
