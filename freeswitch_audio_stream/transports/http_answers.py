"""What an HTTP server answers, and what that means for a person and for the next attempt."""

from __future__ import annotations

import email.utils
import http.client
import io
import re
import time
from dataclasses import dataclass
from typing import Any, Mapping

import orjson

from .handshake import printable

_DETAILS = ("detail", "message", "error")
"""Members of an answer's JSON in which servers say what is wrong."""
_LONGEST_WAIT = 3600.0
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Answer:
    """An answer of an HTTP server, whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated one, the first."""
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the status sends the client elsewhere."""
        return 300 <= self.status < 400

    @property
    def json(self) -> dict[str, Any]:
        """The body's JSON object; empty where it is none."""
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def detail(self) -> str:
        """What the body says, fit for a line of a log; "" where it says nothing for a person."""
        body = self.json
        found = next((body[name] for name in _DETAILS if body.get(name)), "")
        if isinstance(found, (dict, list)):
            found = orjson.dumps(found).decode()
        return printable(str(found))

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, as the header Retry-After says (RFC 9110 section 10.2.3), an hour at most; None without."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), _LONGEST_WAIT)
        try:
            when = email.utils.parsedate_to_datetime(text).timestamp()
        except (TypeError, ValueError):
            return None
        return min(max(0.0, when - time.time()), _LONGEST_WAIT)


def read_answer(data: bytes) -> Answer:
    """Return an answer in the form in which the compiled core gives it: its head, checked, and its body."""
    end = _EMPTY_LINE.search(data)
    assert end is not None
    head, body = data[:end.start()], data[end.end():]
    status = int(head[9:12])
    if status == 200:
        return Answer(status, {}, body)  # as nearly all are: nobody looks at their headers
    _, _, rows = head.partition(b"\n")
    parsed = http.client.parse_headers(io.BytesIO(rows + b"\n\n"))
    headers: dict[str, str] = {}
    for name, value in parsed.items():
        headers.setdefault(name.lower(), value)
    return Answer(status, headers, body)


def explain(answer: Answer) -> str:
    """Return what the server does by an answer that is no success, as the rest of a sentence with a remedy."""
    shown = f"HTTP {answer.status}" + (f": {answer.detail}" if answer.detail else "")
    if answer.status == 401:
        return f"does not let us in ({shown}): check api-key and api-key-header, or http-auth-user and its password"
    if answer.status == 403:
        return f"does not allow it ({shown}): check whose key api-key is, and the tenant that the stream names"
    if answer.status == 404:
        return f"has no such session or path ({shown}): does the URL end where /session/create begins?"
    if answer.is_redirect:
        place = printable(answer.headers.get("location", "nowhere"))
        return f"sends us to {place} ({shown}), which is not followed: put the final address into the URL"
    if answer.status == 429:
        return f"takes no more for now ({shown})"
    return f"refuses the request ({shown}): its log may say why"


def is_for_good(answer: Answer) -> bool:
    """Return whether the same request would be answered the same at any other time."""
    return answer.status < 500 and answer.status not in (408, 425, 429)
