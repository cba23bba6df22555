"""Which response is being made, and whether to ask for one: the service makes one at a time."""

from __future__ import annotations

from typing import Any

from .events import RetryResponse, Send
from .wire import send


class Responses:
    """Of one session."""

    def __init__(self) -> None:
        self.active: str | None = None
        """The id of the response that is being made."""
        self.dropped: set[str] = set()
        """Those that the caller has interrupted."""
        self.is_held_back = False
        """Whether the caller speaks: nothing is asked for meanwhile."""
        self.is_unanswered = False
        """Whether the caller has said something, and no response to it was begun."""
        self._request: str | None = None
        """The id of our request that was not answered yet."""
        self._requests = 0
        self._is_wanted = False
        """Ask for one as soon as that is possible."""
        self._began_before = False
        """The next response that is told of was begun before our request, and does not answer it."""
        self._waits_to_retry = False
        self._failures = 0

    @property
    def is_due(self) -> bool:
        """Whether the model answers, or has to."""
        return bool(self.is_under_way or self._is_wanted or self._waits_to_retry or self.is_unanswered)

    @property
    def is_under_way(self) -> bool:
        return bool(self.active or self._request)

    def begin(self, response: str) -> None:
        """The service has begun one, asked or not: it answers all there is to be answered."""
        self.active, self._request = response, None
        self._is_wanted = self._is_wanted and self._began_before
        self._began_before = self._waits_to_retry = self.is_unanswered = False

    def end(self, response: str) -> None:
        """It was made, or ended."""
        if self.active == response:
            self.active = None

    def succeed(self) -> None:
        self._failures = 0

    def want(self) -> list[Send]:
        """Return the request for one, if it can be made now."""
        self._is_wanted = True
        return self.ask_if_wanted()

    def ask_if_wanted(self) -> list[Send]:
        return self.ask() if self._is_wanted and not (self.is_under_way or self.is_held_back) else []

    def ask(self, **options: Any) -> list[Send]:
        """Return the request for one, with options of its own."""
        self._requests += 1
        self._request = f"answer_{self._requests}"
        self._is_wanted = False
        return [send("response.create", event_id=self._request, **({"response": options} if options else {}))]

    def is_request(self, event_id: Any) -> bool:
        """Whether this is the id of the request that was not answered yet."""
        return event_id is not None and event_id == self._request

    def come_too_early(self) -> None:
        """The request was refused because another response is being made."""
        self._request, self._is_wanted = None, True
        self._began_before = self.active is None

    def fail(self, reason: str) -> list[RetryResponse]:
        """None was made, for a reason that may pass."""
        self._request = None
        self._failures += 1
        self._waits_to_retry = True
        return [RetryResponse(self._failures, reason)]

    def retry(self) -> list[Send]:
        """Return the request for one, unless there was one since the failure."""
        if not self._waits_to_retry:
            return []
        self._waits_to_retry = False
        return self.want()
