"""A stream through a proxy that breaks what is between it and its server, and ways to see what became of its audio."""

from __future__ import annotations

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.simulator import CodecSpec
from freeswitch_audio_stream.testing.peers.fault_proxy import FaultProxy

from ..engine.harness import Platform, audible, find, noise, until
from .ends import End
from .table import Lost, Row

UNTOLD = {"heartbeat", "media_play_start", "media_play_complete"}
"""Events that are no matter here."""


class Line:
    """One call with one stream; on the test's thread."""

    def __init__(self, platform: Platform, end: End, proxy: FaultProxy, settings: str = "") -> None:
        self.platform, self.end, self.proxy = platform, end, proxy
        self.call = platform.call(codec=CodecSpec("L16", end.rate))
        self._settings = ",".join(filter(None, (end.prefix, settings)))
        self._seed = 100
        self.told = 0

    def open(self) -> None:
        """Start, and wait until audio flows both ways; what is told from then on is because of a fault."""
        prefix = f"{{{self._settings}}}" if self._settings else ""
        self.platform.start(self.call, prefix + self.end.url(self.proxy.place), rate=self.end.rate)
        self.platform.event("stream_started", self.call)
        until(lambda: len(self.end.heard()))
        self.is_well()
        self.told = len(self.platform.names(self.call))

    def noise(self, seconds: float = 0.5) -> Samples:
        """Such as was not said before."""
        self._seed += 1
        return noise(int(seconds * self.end.rate), self._seed)

    def say(self) -> Samples:
        """Have the caller say something, to the end."""
        said = self.noise()
        self.call.say(said)
        until(self.call.has_spoken)
        return said

    def reaches(self, said: Samples) -> None:
        """Wait until the server has heard it, whole."""
        wanted = self.end.through_the_wire(said)
        until(lambda: find(self.end.heard(), wanted) >= 0)

    def has_reached(self, said: Samples) -> bool:
        """Whether the server has heard any of it."""
        wanted = self.end.through_the_wire(said)
        return any(find(self.end.heard(), wanted[at:at + 160]) >= 0 for at in range(0, len(wanted) - 160, 160))

    def queue(self) -> Samples:
        """Have the server say something that waits to be played until `plays`."""
        self.platform.tell(self.call, "pause_play")
        prompt = self.noise()
        self.end.play(prompt)
        until(lambda: self.platform.status(self.call)["playbackQueueMs"] >= 500)
        return prompt

    def plays(self, prompt: Samples) -> None:
        """See that the caller hears, whole, what was queued."""
        self.platform.tell(self.call, "resume_play")
        self.hears(prompt)

    def hears(self, prompt: Samples) -> None:
        """Wait until the caller has heard it, whole; there may be silence in it, where a part came late."""
        until(lambda: self.has_been_heard(prompt))

    def has_been_heard(self, prompt: Samples) -> bool:
        """Whether the caller has, by now."""
        return find(audible(self.call.heard()), audible(self.end.through_the_wire(prompt))) >= 0

    def is_well(self) -> None:
        """See that audio goes both ways, whole."""
        before = len(self.end.heard())
        until(lambda: len(self.end.heard()) > before)
        self.reaches(self.say())
        prompt = self.noise()
        self.end.play(prompt)
        self.hears(prompt)

    def has_told(self, row: Row) -> None:
        """Wait until all events of a row have been told, and see that no others have."""
        until(lambda: len(self._told()) >= len(row.events))
        assert tuple(self._told()) == row.events, self._told()

    def _told(self) -> list[str]:
        return [name for name in self.platform.names(self.call)[self.told:] if name not in UNTOLD]

    def is_as(self, row: Row, during: Samples | None = None) -> None:
        """See that the stream has become what a row says; `during` is what the caller said under the fault, or since.

        Takes into account that what is not said to be lost has to be heard whole.
        """
        self.has_told(row)
        if row.lost is Lost.NOTHING and during is not None:
            self.reaches(during)
        if row.lost is Lost.REST:
            assert not self.call.destroyed.is_set()
        else:
            self.is_well()
        if row.lost in (Lost.AWAY, Lost.REST) and during is not None:
            assert not self.has_reached(during)
        self.has_told(row)
