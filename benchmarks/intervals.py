"""``make bench``: whether the intervals of the statistics hold what they promise.

python -m benchmarks.intervals [--quick] [--figures FOLDER] [--out FILE]
"""

from __future__ import annotations

import sys

from benchmarks.rows import intervals as rows
from benchmarks.suite import Suite

main = Suite("intervals", "The intervals", {"coverage": rows.coverage}).main

if __name__ == "__main__":
    sys.exit(main())
