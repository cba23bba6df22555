"""Webhooks: whoever wants to know is told of each recording that is finished or has failed.

What is to be told is written into the catalogue together with the session's final state, and removed when it has been
answered with a status of 2xx: no restart and no crash loses it, and it may come twice. Form and signature are those of
Standard Webhooks (https://www.standardwebhooks.com), so libraries check them: HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from typing import Any, Callable, Sequence

import orjson

from .... import __version__
from ....errors import SettingError
from ....web.worker_lanes import WorkerLane
from ..storage.catalogue import Catalogue, Delivery, SessionRow, Status

ANSWER_SECONDS = 10.0
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 3600.0
GIVE_UP_SECONDS = 3 * 86_400.0
_MOST_THREADS = 8
_PREFIX = "whsec_"
_STOP_SECONDS = ANSWER_SECONDS + 1.0


def signing_key(secret: str) -> bytes:
    """Return the key of a secret: its bytes, or what stands in base64 behind ``whsec_``; raise SettingError."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        raise SettingError(f"the webhook secret has no base64 behind {_PREFIX}: give it as it was given to you, or "
                           "choose one that begins otherwise") from error


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``."""
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def retry_seconds(attempts: int) -> float:
    """Return how long to wait after so many attempts."""
    return min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 20))


class Webhooks:
    """For an event loop. One task for each URL, so that none waits for another."""

    def __init__(self, catalogue: Catalogue, urls: Sequence[str], secret: str,
                 describe: Callable[[SessionRow], dict[str, Any]], tell: Callable[[str], None]) -> None:
        """`describe` returns what is told of a session. Raise SettingError for a secret that is none."""
        self._catalogue = catalogue
        self._urls = list(dict.fromkeys(urls))
        self._key = signing_key(secret)
        self._describe = describe
        self._tell = tell
        self._lane = WorkerLane("webhooks", _MOST_THREADS, lambda error: tell(f"defect of the webhooks: {error!r}"))
        self._news = {url: asyncio.Event() for url in self._urls}
        self.delivered = 0
        self.failed = 0
        """Attempts."""

    def deliveries(self, row: SessionRow) -> list[Delivery]:
        """Return what is to be told of a session that has ended, to be stored together with it."""
        if not self._urls:
            return []
        kind = "recording.completed" if row.status is Status.COMPLETED else "recording.failed"
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = orjson.dumps({"type": kind, "timestamp": at, "data": self._describe(row)}).decode()
        return [Delivery(f"msg_{uuid.uuid4().hex}", url, body, time.time()) for url in self._urls]

    def stored(self) -> None:
        """Call it when deliveries have been stored: they are sent at once."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Deliver until it is cancelled. What an earlier run could not deliver is tried again at once."""
        await self._catalogue.retry_deliveries(self._urls)
        await asyncio.gather(*(self._serve(url) for url in self._urls))

    def stop(self) -> None:
        """End; what is being sent is waited for."""
        self._lane.stop(time.monotonic() + _STOP_SECONDS)

    async def _serve(self, url: str) -> None:
        news = self._news[url]
        while True:
            news.clear()
            delivery = await self._catalogue.next_delivery(url)
            wait = delivery.due - time.time() if delivery else None
            if delivery is None or wait is not None and wait > 0:
                try:
                    await asyncio.wait_for(news.wait(), wait)
                except asyncio.TimeoutError:
                    pass
                continue
            await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        complaint = await self._lane.run(self._send, delivery)
        now = time.time()
        if not complaint:
            self.delivered += 1
            await self._catalogue.delivered(delivery.id)
            return
        self.failed += 1
        attempts = delivery.attempts + 1
        if now - delivery.created > GIVE_UP_SECONDS:
            self._tell(f"the webhook {delivery.url} has not taken {delivery.id} for "
                       f"{GIVE_UP_SECONDS / 86_400:.0f} days ({complaint}): it is given up")
            await self._catalogue.delivered(delivery.id)
            return
        if attempts == 1:
            self._tell(f"the webhook {delivery.url} does not take {delivery.id} ({complaint}): it is tried again")
        await self._catalogue.postpone(delivery.id, now + retry_seconds(attempts), attempts)

    def _send(self, delivery: Delivery) -> str:
        """Return why it could not be delivered; empty: it was. Blocks."""
        body, now = delivery.body.encode(), int(time.time())
        request = urllib.request.Request(delivery.url, body, {
            "Content-Type": "application/json", "User-Agent": f"freeswitch_audio_stream/{__version__}",
            "webhook-id": delivery.id, "webhook-timestamp": str(now),
            "webhook-signature": signature(self._key, delivery.id, now, body)}, method="POST")
        try:
            with _OPENER.open(request, timeout=ANSWER_SECONDS) as answer:
                return "" if 200 <= answer.status < 300 else f"status {answer.status}"
        except urllib.error.HTTPError as error:
            error.close()
            return f"status {error.code}"
        except (OSError, ValueError, urllib.error.URLError) as error:
            return str(error)
        except Exception as error:  # http.client has errors of its own for answers that are none
            return repr(error)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected becomes a GET, and is lost."""

    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
