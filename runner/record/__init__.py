"""What a study directory holds: its files, its tables, and how they are read.

============  =====================================================================
study.yaml    the study as run; a run of a part of it leaves it as it is
study.db      the journal: SQLite, write-ahead log, every commit synced to the disk
study.lock    held by the one process that writes, and naming it
============  =====================================================================

`read_journal` reads and `verify` checks, also while a study runs; `runner.journal` writes. What is
stored is text and numbers; nothing is ever unpickled. The directory must lie on a local file system
or on one with working POSIX locks, and one machine at a time may use it. Nothing here knows
studies, problems or methods, so that a problem can be made of what a study recorded.
"""

from runner.record.faults import Fault, Finding
from runner.record.reader import Record, RunRecord, read_journal
from runner.record.verify import Verdict, verify

__all__ = ["Fault", "Finding", "Record", "RunRecord", "Verdict", "read_journal", "verify"]
