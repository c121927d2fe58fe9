"""A study on a cluster, from a machine outside of it: submitted, followed, stopped, fetched.

Everything goes through the HTTP interface for jobs of the cluster's head, so Ray need not run here.
"""

from runner.remote.address import check_address
from runner.remote.fetching import fetch
from runner.remote.head import Head
from runner.remote.package import pack_study
from runner.remote.sending import send
from runner.remote.submitting import Order, folder_on_head, follow, status, stop, submit

__all__ = [
    "Head",
    "Order",
    "check_address",
    "fetch",
    "folder_on_head",
    "follow",
    "pack_study",
    "send",
    "status",
    "stop",
    "submit",
]
