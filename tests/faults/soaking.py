"""How hard the faults are tried: a little in every test run, at length by ``make soak``."""

import os

SOAK = os.environ.get("FIVEFOLD_SOAK") == "1"


def amount(little, much):
    """The one, or in a soak the other."""
    return much if SOAK else little
