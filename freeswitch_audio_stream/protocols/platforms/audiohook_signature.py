"""How a client of AudioHook shows who it is: an API key, and a signature of the handshake with a secret (HMAC-SHA256).

After the draft of RFC 9421 that Genesys' reference implementation builds and verifies: a component a line, with its
value, and the parameters of the signature last.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Mapping
from urllib.parse import urlsplit

from ..messages import Handshake

VALID_SECONDS = 10
"""How long a handshake may take to arrive; Genesys' servers take none that is older."""
_DEFAULT_PORTS = {"ws": 80, "wss": 443}


def signed_headers(handshake: Handshake, headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` with those that show the key; and, where there is a secret, those that prove it.

    What is signed holds for VALID_SECONDS, for this URL and these headers.
    """
    key, now = handshake.key, handshake.now
    shown = {**headers, **({"X-API-KEY": key} if key else {})}
    if not handshake.secret:
        return shown
    components = {"@request-target": _target(handshake.url), "@authority": _authority(handshake.url),
                  **{name.lower(): value for name, value in shown.items()}}
    parameters = (f'({" ".join(map(_quoted, components))});keyid={_quoted(key)};nonce={_quoted(handshake.nonce)}'
                  f';alg="hmac-sha256";created={now};expires={now + VALID_SECONDS}')
    lines = [f"{_quoted(name)}: {value}" for name, value in components.items()]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = hmac.digest(base64.b64decode(handshake.secret), base.encode(), hashlib.sha256)
    return {**shown, "Signature-Input": f"sig1={parameters}",
            "Signature": f"sig1=:{base64.b64encode(signature).decode()}:"}


def _quoted(text: str) -> str:
    """Return a string of RFC 8941."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _authority(url: str) -> str:
    """Return host and port as the header Host has them."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    is_default = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
    return host if is_default else f"{host}:{parts.port}"
