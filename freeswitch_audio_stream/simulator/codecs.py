"""Codecs of the embedded switch: their descriptions in C, and what they do to audio."""

from __future__ import annotations

import ctypes
import itertools
import threading
from dataclasses import dataclass

import numpy as np
import soxr

from .. import audio
from ..audio import Samples
from ..switch.constants import CodecFlag, Status
from ..switch.layouts import Codec, CodecImplementation
from .records import PACKET_BYTES


@dataclass(frozen=True)
class CodecSpec:
    """A codec as a call negotiates it: Hz, milliseconds a packet, interleaved channels.

    PCMU and PCMA lose what G.711 loses; L16 loses nothing; G722 (16000 Hz, as the real one described with a
    nominal 8000) and every other name are lossless stand-ins.
    """
    name: str = "PCMU"
    rate: int = 8000
    ptime_ms: int = 20
    channels: int = 1

    def __post_init__(self) -> None:
        if self.packet_bytes > PACKET_BYTES:
            raise ValueError(f"{self} has packets of more than the {PACKET_BYTES} bytes a switch takes")
        if self.rate * self.ptime_ms % 1000:
            raise ValueError(f"{self} has packets that are not whole samples")

    @property
    def packet_samples(self) -> int:
        """Samples per channel in a packet."""
        return self.rate * self.ptime_ms // 1000

    @property
    def packet_bytes(self) -> int:
        """Bytes of a decoded packet, all channels."""
        return self.packet_samples * 2 * self.channels


def _table(encode: audio.Octets, decode: audio.Samples) -> Samples:
    """What comes back of each int16 value, from -32768 up."""
    every = np.arange(-32768, 32768).astype(np.int16)
    return decode[encode[every.view(np.uint16)]]


_TABLES = {"PCMU": _table(audio.MULAW_ENCODE, audio.MULAW_DECODE),
           "PCMA": _table(audio.ALAW_ENCODE, audio.ALAW_DECODE)}
_IANA_CODES = {"PCMU": 0, "PCMA": 8, "G722": 9}


def loss_table(spec: CodecSpec) -> int:
    """The address of int16[65536] with what the codec makes of each value; 0 for a lossless one."""
    table = _TABLES.get(spec.name)
    return 0 if table is None else table.ctypes.data


class Codecs:
    """The table of codec implementations, and the C functions that open and close codecs.

    There is one implementation per specification, at one address for ever: code compares them by address.
    """

    def __init__(self) -> None:
        self._implementations: dict[CodecSpec, CodecImplementation] = {}
        self._codec_ids: dict[str, int] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self.open = 0
        """Codecs that were opened through C and not closed yet."""

    def implementation(self, spec: CodecSpec) -> int:
        """The address of the ``switch_codec_implementation_t`` for `spec`."""
        with self._lock:
            if spec not in self._implementations:
                self._implementations[spec] = self._describe(spec)
            return ctypes.addressof(self._implementations[spec])

    def _describe(self, spec: CodecSpec) -> CodecImplementation:
        codec_id = self._codec_ids.setdefault(spec.name, len(self._codec_ids) + 1)
        nominal = 8000 if spec.name == "G722" else spec.rate
        return CodecImplementation(
            ianacode=_IANA_CODES.get(spec.name, 96), iananame=spec.name.encode(), samples_per_second=nominal,
            actual_samples_per_second=spec.rate, bits_per_second=64000, number_of_channels=spec.channels,
            microseconds_per_packet=spec.ptime_ms * 1000, samples_per_packet=spec.packet_samples,
            decoded_bytes_per_packet=spec.packet_bytes, encoded_bytes_per_packet=spec.packet_samples,
            codec_frames_per_packet=1, codec_id=codec_id, impl_id=next(self._ids), modname=b"embedded")

    def c_init(self, codec: int, name: bytes, modname: bytes | None, fmtp: bytes | None, rate: int, ms: int,
               channels: int, bitrate: int, flags: int, settings: int | None, pool: int | None) -> int:
        """``switch_core_codec_init_with_bitrate``; a NULL pool is fine."""
        try:
            spec = CodecSpec(name.decode(), rate, ms or 20, channels or 1)
        except ValueError:
            return Status.NOTIMPL
        handle = Codec.from_address(codec)
        ctypes.memset(codec, 0, ctypes.sizeof(Codec))
        handle.implementation = self.implementation(spec)
        handle.flags = flags | CodecFlag.READY
        with self._lock:
            self.open += 1
        return Status.SUCCESS

    def c_destroy(self, codec: int) -> int:
        """``switch_core_codec_destroy``"""
        if not Codec.from_address(codec).flags & CodecFlag.READY:
            return Status.FALSE
        ctypes.memset(codec, 0, ctypes.sizeof(Codec))
        with self._lock:
            self.open -= 1
        return Status.SUCCESS


def fit(samples: Samples, rate: int, spec: CodecSpec) -> Samples:
    """int16[n] or int16[n, channels] at `rate` Hz as the interleaved values of `spec`, sample for sample
    where the rates agree.
    """
    shaped = samples if samples.ndim == 2 else samples[:, np.newaxis]
    if rate != spec.rate and len(shaped):
        shaped = soxr.resample(shaped, rate, spec.rate, quality="VHQ")
    if shaped.shape[1] != spec.channels:
        shaped = np.repeat(shaped[:, :1], spec.channels, axis=1)
    return np.ascontiguousarray(shaped, np.int16).reshape(-1)
