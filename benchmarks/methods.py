"""``make bench``: how good `bayes`, `tpe` and `gradient` are, and how long they think, beside their peers.

    python -m benchmarks.methods [--only functions] [--quick] [--figures FOLDER] [--out FILE]

Peers that are not installed are not measured. ``pip install torch`` brings Optuna's GPSampler, and
HEBO, smac and scikit-optimize are packages of these names.
"""

from __future__ import annotations

import sys

from benchmarks.rows import gradient, quality
from benchmarks.suite import Suite

BENCHMARKS = {
    "functions": quality.shifted,
    "others": quality.others,
    "tuning": quality.tuning,
    "proposal": quality.proposal,
    "conditional": quality.conditional,
    "failing": quality.failing,
    "parallel": quality.parallel,
    "gradient": gradient.hypergradients,
    "gradient-workers": gradient.workers,
    "gradient-noise": gradient.noisy,
    "gradient-mixed": gradient.mixed,
}
main = Suite(
    "methods",
    "The methods",
    BENCHMARKS,
    """Here a figure is a median over seeds, with the interval that holds the true median at 95 % or more
    (order statistics), and a ratio is of the medians. Regret is the best loss minus the optimum.""",
).main

if __name__ == "__main__":
    sys.exit(main())
