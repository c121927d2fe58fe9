"""The study directory: every finished trial is durable here before its method hears of it.

============  =====================================================================
study.yaml    the study as run; a run of a part of it leaves it as it is
study.db      the journal: SQLite, write-ahead log, every commit synced to the disk
study.lock    held by the one process that writes, and naming it
============  =====================================================================

`Journal` writes and `read_journal` reads, also while a study runs. What is stored is text and
numbers; nothing is ever unpickled. The directory must lie on a local file system or on one with
working POSIX locks, and one machine at a time may use it.
"""

from runner.journal.reader import Record, RunRecord, read_journal
from runner.journal.writer import Journal

__all__ = ["Journal", "Record", "RunRecord", "read_journal"]
