"""The study directory: its journal, how it is written, read and verified.

============  =====================================================================
study.yaml    the study as run; a run of a part of it leaves it as it is
study.db      the journal: SQLite, write-ahead log, every commit synced to the disk
study.lock    held by the one process that writes, and naming it
============  =====================================================================

`Journal` writes: every completed trial is durable before its method sees it. `read_journal` reads and
`verify` checks, also while a study runs. The journal stores strings and numbers; nothing is ever unpickled.
The directory must lie on a local file system or on one with working POSIX locks, and one machine at a time
may use it.

Nothing here imports studies, problems or methods, so that a problem can be built from a recorded study:
`plan` holds what the journal must know of a study.
"""

from runner.journal.findings import Fault, Finding
from runner.journal.reader import Record, RunRecord, read_journal
from runner.journal.verify import Verdict, verify
from runner.journal.writer import Journal

__all__ = ["Fault", "Finding", "Journal", "Record", "RunRecord", "Verdict", "read_journal", "verify"]
