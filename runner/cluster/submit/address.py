"""Addresses of heads, and the token of this user."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from runner.errors import EngineError

PORT = 8265
"""Default port of a head's dashboard."""

HOW_TO_TOKEN = (
    "Put the head's token into RAY_AUTH_TOKEN, the file of RAY_AUTH_TOKEN_PATH, or ~/.ray/auth_token."
)


def check_address(address: str) -> str:
    """Complete the address of a head to ``http://host:port``.

    Parameters
    ----------
    address : str
        ``http://host:8265``, ``https://...`` or ``host:8265``.

    Raises
    ------
    EngineError
        For Ray Client addresses, ``auto``, and anything but the address of a dashboard.
    """
    if address.startswith("ray://"):
        raise EngineError(
            "Ray Client is not supported: Tune would run in a process of the cluster that dies with "
            "this connection.",
            where=address,
            hint=f"Give the dashboard's, http://HEAD:{PORT}.",
        )
    if address == "auto":
        raise EngineError(
            "'auto' means the Ray of this machine.",
            where=address,
            hint=f"On the head: fivefold run STUDY.yaml --address auto. From outside: http://HEAD:{PORT}.",
        )
    full = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise EngineError(f"expected an address such as http://HEAD:{PORT}.", where=address)
    if parts.username or parts.password:
        raise EngineError("passwords are not supported.", where="address", hint=HOW_TO_TOKEN)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else PORT)}"


def find_token() -> str | None:
    """Find the token of this user in the places where Ray looks; None where there is none."""
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(path) if path else Path.home() / ".ray" / "auth_token").read_text(
            "utf-8"
        ).strip() or None
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        if path:
            raise EngineError(
                f"cannot be read: {error}.", where=f"RAY_AUTH_TOKEN_PATH={path}", hint=HOW_TO_TOKEN
            ) from None
        return None


def _addresses(url: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def is_here(url: str) -> bool:
    """Return True for an address of this machine, which a tunnel has too."""
    return all(address.is_loopback for address in _addresses(url))


def public_address(url: str) -> str:
    """Return an address of a head that the whole internet can reach; empty where it has none."""
    return next((str(address) for address in _addresses(url) if address.is_global), "")
