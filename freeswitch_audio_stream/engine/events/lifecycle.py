"""What is told of a stream's life: the events of its connection, its beginning and end, and its status."""

from __future__ import annotations

from typing import Any

from ...errors import ConnectError
from ...realtime.records import ATTEND_GARBAGE, ATTEND_OVERRUN, ATTEND_RATE
from ...transports import Connection
from ..connection.media_clients import ClientSession
from ..connection.reconnecting import Reconnecting
from ..dispatch.timers import Timers
from ..end_reason import EndReason
from ..media.paths import MediaPaths
from ..plan.plan import Plan
from ..states import StreamStates
from .agent_turns import AgentTurns
from .client_report import ClientReport
from .overrun_report import OverrunReport
from .packet_report import PacketReport
from .reports import Reporter, timestamp
from .stream_statistics import StreamStatistics


class Lifecycle:
    """Of one stream; only on its dispatcher, but for `status`."""

    def __init__(self, plan: Plan, media: MediaPaths, reporter: Reporter, turns: AgentTurns, timers: Timers,
                 reconnecting: Reconnecting, client_session: ClientSession | None, states: StreamStates) -> None:
        self._plan = plan
        self._media = media
        self._reporter = reporter
        self._timers = timers
        self._reconnecting = reconnecting
        self._states = states
        self._client_report = ClientReport(client_session, reporter) if client_session else None
        self._overruns = OverrunReport(media.path, reporter, timers, plan.settings.buffer_secs)
        self._packets = PacketReport(media.path, reporter)
        self._statistics = StreamStatistics(plan.info.rate, media, self._packets, reconnecting, reporter, turns)
        self._connected_at = ""
        self._started = False

    def connected(self, connection: Connection) -> None:
        """The server is there."""
        self._connected_at = timestamp()
        self._reporter.fire("connection_established", serverUrl=self._plan.shown_url,
                            connectionTime=self._connected_at, peer=connection.peer,
                            subprotocol=connection.subprotocol or None, attempt=self._reconnecting.tries or None)

    def streaming(self, connection: Connection) -> None:
        """Audio flows; told as the stream's start the first time."""
        if not self._started:
            self._started = True
            self._tell_start()
            self._timers.every("heartbeat", self._plan.settings.heartbeat_secs, self._heartbeat)
        if self._client_report:
            self._client_report.attached(connection.peer, self._plan.protocol.name)

    def _tell_start(self) -> None:
        info = self._plan.info
        self._reporter.fire("stream_started", serverUrl=self._plan.shown_url, track=info.track.value,
                            codec=info.encoding.value, sampleRate=info.rate, protocol=self._plan.protocol.name,
                            bidirectional=self._plan.bidirectional, timestamp=self._connected_at)

    def _heartbeat(self) -> None:
        self._reporter.fire("heartbeat", state=self._states.state.value, statistics=self._statistics.fields())

    def not_connected(self, error: ConnectError, again: bool) -> None:
        """The server is not there; it is no event where it is tried `again`."""
        if again:
            self._reporter.last_error = str(error)
        else:
            self._reporter.not_connected(error, self._plan.shown_url)

    def lost(self, text: str, timed_out: bool) -> None:
        """The connection broke, or (`timed_out`) the server does not answer; `disconnected` follows."""
        self._reporter.connection_lost(self._plan.shown_url, text, timed_out)

    def disconnected(self, code: int, text: str, again: bool) -> None:
        """The connection is over, for good or to be made `again`."""
        self._reporter.fire("connection_closed", code=code, reason=text, willReconnect=again)
        if self._client_report:
            self._client_report.detached(code, text)
        if again:
            self._reporter.last_error = text

    def attend(self, bits: int) -> None:
        """Tell of what the core reports (ATTEND_…) and nothing can be done about."""
        if bits & ATTEND_OVERRUN:
            self._overruns.attend()
        if bits & ATTEND_RATE:
            self._reporter.error("rate", "the call's codec has a sample rate that cannot be converted")
        if bits & ATTEND_GARBAGE:
            self._packets.attend()

    def stopped(self, reason: EndReason, summary: dict[str, Any] | None) -> None:
        """The stream is over; nothing is told of it any more. `summary` is the server's, where it gave one."""
        self._overruns.tell_the_rest()
        self._reporter.tell_the_rest()
        self._reporter.fire("stream_stopped", reason=reason.name or "error", detail=reason.detail or None,
                            summary=summary, statistics=self._statistics.fields())

    def status(self) -> dict[str, Any]:
        """Return what `status` and `list` answer. Any thread."""
        info = self._plan.info
        return {
            "uuid": info.uuid, "streamId": info.stream_id, "state": self._states.state.value,
            "paused": self._media.capture.paused, "serverUrl": self._plan.shown_url, "track": info.track.value,
            "codec": info.encoding.value, "sampleRate": info.rate, "protocol": self._plan.protocol.name,
            "bidirectional": self._plan.bidirectional, **self._statistics.fields(),
            "lastError": self._reporter.last_error,
        }
