"""What there is to hear and to see of a recording, also while it is being made: its audio, and its waveform."""

from __future__ import annotations

import re
from typing import Any, AsyncIterator, Literal, Optional

import orjson
from fastapi import FastAPI, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..formats.encoder import ENCODINGS, Encoder
from ..formats.ffmpeg import FfmpegMissing, is_there
from ..formats.waveform import BASE, as_dat, as_json
from ..sessions.waveforms import MOST_PIXELS
from ..storage.catalogue import SessionRow, Status
from ..storage.interface import AudioStore, Recording, UnknownRecording
from ..storage.wav import HEADER_BYTES, write_header
from .answers import Failed, Invalid, not_found
from .endpoints import Endpoints, endpoints_of, find_row

_PIECE_BYTES = 1 << 18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHOSEN_PIXELS = 2000
_LONGEST_SECONDS = 1e9


def add_audio(app: FastAPI, one: str, options: dict[str, Any]) -> None:
    """Add the routes below the path of `one` session; `options` are those of all routes of sessions."""
    responses = options["responses"]
    media: dict[str, Any] = {kind: {} for kind in ("audio/wav", *(one.media_type for one in ENCODINGS.values()))}
    app.get(f"{one}/audio", summary="Hear a recording, also while it is being made", response_class=Response,
            **{**options, "responses": {
                **responses, 200: {"content": media}, 206: {"content": {"audio/wav": {}}},
                416: {"model": Failed, "description": "the range is behind the end"}}})(get_audio)
    app.get(f"{one}/waveform", summary="See a recording: audiowaveform's formats, version 2", response_class=Response,
            **{**options, "responses": {**responses, 200: {"content": {
                "application/json": {}, "application/octet-stream": {}}}}})(get_waveform)


async def get_audio(request: Request, session_id: str,
                    format: Literal["wav", "mp3", "flac", "opus"] = Query(
                        "wav", description="wav has ranges; the others are encoded as they are sent"),
                    start: float = Query(0, ge=0, le=_LONGEST_SECONDS, description="in seconds"),
                    end: Optional[float] = Query(None, ge=0, le=_LONGEST_SECONDS, description="in seconds; what is "
                                                 "recorded later is not in it then")) -> Response:
    row = await find_row(request, session_id)
    endpoints = endpoints_of(request)
    try:
        await endpoints.ready.store.read(row.id, 0, 1)
    except UnknownRecording as error:
        raise not_found(session_id) from error
    recording = Recording(row.id, row.rate, row.channels)
    first, last = _frames(row, start, end)
    part = (first * recording.frame_bytes, last * recording.frame_bytes)
    if format in ENCODINGS:
        made = await _made(request, row, format) if not start and end is None else None
        if made is not None:
            return made
        return _encoded(endpoints, format, recording, part)
    return _wav(request, recording, part)


def _frames(row: SessionRow, start: float, end: float | None) -> tuple[int, int]:
    """Return the first sample of a part and the one behind its last, as far as there are any."""
    frames = row.audio_bytes // Recording(row.id, row.rate, row.channels).frame_bytes
    first = min(frames, int(start * row.rate))
    return first, frames if end is None else max(first, min(frames, round(end * row.rate)))


def _wav(request: Request, recording: Recording, part: tuple[int, int]) -> Response:
    audio = part[1] - part[0]
    begin, end, status = 0, HEADER_BYTES + audio, 200
    size = end
    headers = {"Accept-Ranges": "bytes", **_name(recording.id, "wav")}
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match and any(match.groups()):
        begin, end = _range(match[1], match[2], size)
        status, headers["Content-Range"] = 206, f"bytes {begin}-{end - 1}/{size}"
        if begin >= end:
            return JSONResponse({"error": "The range is behind the end", "size": size}, 416,
                                {"Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(end - begin)
    header = write_header(recording.rate, recording.channels, audio)
    store = endpoints_of(request).ready.store
    return StreamingResponse(_pieces(store, recording.id, header, part[0], begin, end), status, headers, "audio/wav")


async def _made(request: Request, row: SessionRow, kind: str) -> Response | None:
    """What was encoded when the recording had ended, where it was."""
    if row.status is Status.ACTIVE:
        return None
    encoding = ENCODINGS[kind]
    found = await endpoints_of(request).ready.derived.read(row.id, encoding.suffix)
    if found is None:
        return None
    return StreamingResponse(found, 200, {"Accept-Ranges": "none", **_name(row.id, encoding.suffix)},
                             encoding.media_type)


def _encoded(endpoints: Endpoints, kind: str, recording: Recording, part: tuple[int, int]) -> Response:
    if not is_there():
        raise Invalid(500, {"error": f"{kind} needs the program FFmpeg, which the recorder's machine does not have"})
    encoding = ENCODINGS[kind]

    async def encode() -> AsyncIterator[bytes]:
        samples = _pieces(endpoints.ready.store, recording.id, b"", part[0], HEADER_BYTES,
                          HEADER_BYTES + part[1] - part[0])
        encoder = Encoder(kind, recording, endpoints.ready.audio.ffmpeg_loglevel,
                          lambda line: endpoints.tell(f"session {recording.id}: FFmpeg, encoding: {line}"))
        async with endpoints.encoders:
            try:
                await encoder.start()
                async for piece in encoder.pieces(samples):
                    yield piece
            except (FfmpegMissing, OSError) as error:
                endpoints.tell(f"session {recording.id} could not be sent as {kind}: {error}")
                raise
            finally:
                encoder.end()
    return StreamingResponse(encode(), 200, {"Accept-Ranges": "none", **_name(recording.id, encoding.suffix)},
                             encoding.media_type)


def _name(id: str, suffix: str) -> dict[str, str]:
    return {"Content-Disposition": f'inline; filename="{id}.{suffix}"', "X-Content-Type-Options": "nosniff"}


def _range(first: str, last: str, size: int) -> tuple[int, int]:
    """Begin and end of a range (RFC 9110 section 14.1.2)."""
    if not first:
        return max(0, size - int(last[:20])), size
    return int(first[:20]), min(size, int(last[:20]) + 1) if last else size


async def _pieces(store: AudioStore, id: str, header: bytes, audio: int, begin: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from `begin` to `end` of a WAV file whose samples begin at `audio` in the recording."""
    if begin < HEADER_BYTES:
        yield header[begin:end]
        begin = HEADER_BYTES
    while begin < end:
        piece = await store.read(id, audio + begin - HEADER_BYTES, min(_PIECE_BYTES, end - begin))
        if not piece:
            return  # it has been deleted meanwhile
        yield piece
        begin += len(piece)


async def get_waveform(
        request: Request, session_id: str, format: Literal["json", "dat"] = "json",
        samples_per_pixel: Optional[int] = Query(
            None, ge=1, le=1 << 24, description=f"above {BASE} a multiple of it; default: such that there are no more "
                                                f"than {_CHOSEN_PIXELS} pixels"),
        bits: Literal["8", "16"] = "16",
        start: float = Query(0, ge=0, le=_LONGEST_SECONDS, description="in seconds; the pixel there is the first"),
        end: Optional[float] = Query(None, ge=0, le=_LONGEST_SECONDS, description="in seconds; default: the end"),
        ) -> Response:
    row = await find_row(request, session_id)
    first_frame, last_frame = _frames(row, start, end)
    per_pixel = samples_per_pixel or _choose(last_frame - first_frame)
    if per_pixel > BASE and per_pixel % BASE:
        raise Invalid(422, {"error": f"Invalid samples_per_pixel: above {BASE} it is a multiple of it"})
    first, last = first_frame // per_pixel, -(-last_frame // per_pixel)
    if last - first > MOST_PIXELS:
        raise Invalid(422, {"error": "Too many pixels: ask for a part of it, or for more samples_per_pixel",
                            "pixels": last - first, "limit": MOST_PIXELS})
    return await _waveform(request, row, per_pixel, (first, last), format, int(bits))


async def _waveform(request: Request, row: SessionRow, per_pixel: int, pixels: tuple[int, int], format: str,
                    bits: int) -> Response:
    try:
        peaks = await endpoints_of(request).ready.waveforms.read(row, per_pixel, *pixels)
    except UnknownRecording as error:
        raise not_found(row.id) from error
    if format == "dat":
        return Response(as_dat(peaks, row.rate, per_pixel, bits), media_type="application/octet-stream",
                        headers=_name(row.id, "dat"))
    return Response(orjson.dumps(as_json(peaks, row.rate, per_pixel, bits)), media_type="application/json")


def _choose(frames: int) -> int:
    """The smallest power of two that makes no more pixels than are good to look at."""
    return 1 << max(0, -(-frames // _CHOSEN_PIXELS) - 1).bit_length()
