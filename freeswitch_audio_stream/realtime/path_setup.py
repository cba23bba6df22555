"""Filling in a stream's record before anything looks at it: where its memory is, and what its format asks for."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..native.memory import Arena
from ..protocols.audiosocket import KIND_AUDIO, RATES
from ..protocols.messages import MediaTemplate, Running
from . import rings
from .path_format import (ENCAPSULATIONS, ENCODINGS, GAPS, INBOX_BYTES, LAYOUTS, MARKS, RUNNING_PARTS, STAGE_SECONDS,
                          PathFormat)
from .records import DTMF, PART_LITERAL, PAYLOAD_BASE64, PAYLOAD_BINARY, PAYLOAD_RTP, RESAMPLER, RING
from .wire.jitter_buffer import MAX_PACKET

_PARTS = ("read_frame", "read_data", "write_frame", "write_data", "mix_data", "out", "marks", "play_scratch",
          "clock_frame", "dtmf", "packet", "decoded", "held", "heard")
"""Of the arena: the field of the same name has the address."""


def set_up(field: Any, arena: Arena, form: PathFormat, templates: Sequence[MediaTemplate]) -> None:
    """Fill in a record of STREAM, which is zero but for what `Core` has filled in.

    `arena` has the sizes of `form.sizes`, and `templates` are those of `MediaPath`.
    """
    for name in _PARTS:
        field[name] = arena.address(name)
    field["out_capacity"] = len(arena.part("out"))
    field["fd"] = -1
    _set_rings(field, arena, form)
    _set_work(field, arena)
    _set_format(field, form)
    _set_encapsulation(field, arena, form)
    _set_templates(field, arena, templates)


def _set_rings(field: Any, arena: Arena, form: PathFormat) -> None:
    records = arena.part("rings").view(RING)
    for number, (name, capacity) in enumerate(form.rings.items()):
        field[name] = arena.address("rings") + number * RING.itemsize
        records[number]["count"] = rings.page_count(capacity)
        for part in ("pages", "table", "spare"):
            records[number][part] = arena.address(f"{name}_{part}")


def _set_work(field: Any, arena: Arena) -> None:
    """The memory of the resamplers and of the tones' detector."""
    resamplers = arena.part("resamplers").view(RESAMPLER)
    for number, side in enumerate(("read", "write", "play")):
        field[f"{side}_resampler"] = arena.address("resamplers") + number * RESAMPLER.itemsize
        resamplers[number]["work"] = arena.address(f"{side}_work")
    arena.part("dtmf").view(DTMF)[0]["work"] = arena.address("dtmf_work")


def _set_format(field: Any, form: PathFormat) -> None:
    field["inband_dtmf"] = int(form.inband_dtmf)
    field["layout"], field["channels"] = LAYOUTS[form.tracks], form.channels
    field["wire_rate"] = form.rate
    field["capture_capacity"] = form.rate * form.buffer_secs
    field["stage_capacity"] = form.rate * STAGE_SECONDS
    field["play_capacity"], field["play_seconds"] = form.play_capacity, form.playback_secs
    field["marks_capacity"] = MARKS
    field["inbox_capacity"] = INBOX_BYTES
    field["chunk"] = form.chunk
    field["keeps_unacknowledged"] = int(form.keeps_unacknowledged)
    field["encoding"] = ENCODINGS[form.encoding]
    field["binary_playback"] = int(form.binary_playback)
    field["binary_rate"] = form.binary_rate or form.rate
    field["play_high"], field["play_low"] = form.playback_levels_ms
    field["catch_up"] = form.catch_up_ms


def _set_encapsulation(field: Any, arena: Arena, form: PathFormat) -> None:
    field["encapsulation"], field["patient"] = ENCAPSULATIONS[form.encapsulation], int(bool(form.encapsulation))
    field["packet_capacity"], field["payload"] = MAX_PACKET, PAYLOAD_BINARY
    if form.rate in RATES:
        field["audio_kind"] = KIND_AUDIO + RATES.index(form.rate)
    if form.encapsulation == "rtp":
        field["payload"] = PAYLOAD_RTP
        _follow_gaps(field, arena)
        field["rtp_source"], field["rtp_sequence"], field["rtp_timestamp"] = form.rtp_identity


def _follow_gaps(field: Any, arena: Arena) -> None:
    field["gaps"], field["gaps_capacity"] = arena.address("gaps"), GAPS


def _set_templates(field: Any, arena: Arena, templates: Sequence[MediaTemplate]) -> None:
    parts, literals = arena.part("parts").view(np.int32).reshape(-1, 2), arena.part("literals")
    first = used = 0
    for number, template in enumerate(templates):
        field[f"parts_{number}"] = parts[first:].ctypes.data
        field[f"literals_{number}"] = literals[used:].ctypes.data
        field[f"count_{number}"] = len(template.parts)
        for index, part in enumerate(template.parts, first):
            if isinstance(part, bytes):
                parts[index] = PART_LITERAL, len(part)
                literals[used:used + len(part)] = np.frombuffer(part, np.uint8)
                used += len(part)
            else:
                parts[index] = RUNNING_PARTS[part], 0
        first += len(template.parts)
        if Running.TIMESTAMP in template.parts:
            _follow_gaps(field, arena)
    field["templates"], field["template_bytes"] = len(templates), used
    if any(template.is_text for template in templates):
        field["payload"] = PAYLOAD_BASE64
