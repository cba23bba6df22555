"""Codecs of a call: what its frames look like, and a linear codec for frames that we write ourselves."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from ..errors import SwitchError
from .constants import CodecFlag, Status
from .layouts import Codec, CodecImplementation
from .library import Library


@dataclass(frozen=True)
class CodecFormat:
    """One direction of a call: `rate` Hz of decoded audio, `ptime_us` microseconds a packet, `channels`.

    `impl_id` differs between any two codec implementations of the running switch: compare it to notice a
    change.
    """
    rate: int
    ptime_us: int
    channels: int
    impl_id: int

    @property
    def samples(self) -> int:
        """Samples per channel in one packet."""
        return self.rate * self.ptime_us // 1_000_000


def format_of(implementation: CodecImplementation) -> CodecFormat | None:
    """The format that `implementation` describes; None where it describes no codec."""
    if not implementation.actual_samples_per_second or not implementation.microseconds_per_packet:
        return None
    return CodecFormat(implementation.actual_samples_per_second, implementation.microseconds_per_packet,
                       max(1, implementation.number_of_channels), implementation.impl_id)


class L16Codec:
    """An open 16-bit linear codec: what ``frame.codec`` of a frame that we write points at.

    `pointer` (a ``switch_codec_t *``) is valid until `close`, which must wait until no thread writes such a
    frame.
    """

    def __init__(self, library: Library, rate: int, ptime_ms: int, channels: int) -> None:
        """Open it for `rate` Hz, `ptime_ms` and `channels`; raise SwitchError where the switch has no such
        L16.
        """
        self._library = library
        self._codec = Codec()
        flags = CodecFlag.ENCODE | CodecFlag.DECODE
        status = library.switch_core_codec_init_with_bitrate(
            self._codec, b"L16", None, None, rate, ptime_ms, channels, 0, int(flags), None, None)
        if status != Status.SUCCESS:
            raise SwitchError(
                f"the switch has no linear codec for {rate} Hz, {ptime_ms} ms, {channels} channel(s)")
        self._open = True

    @property
    def pointer(self) -> int:
        return ctypes.addressof(self._codec)

    def close(self) -> None:
        """Give the codec back to the switch; a second call does nothing."""
        if self._open:
            self._open = False
            self._library.switch_core_codec_destroy(self._codec)
