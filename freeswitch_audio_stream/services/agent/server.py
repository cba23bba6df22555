"""A small WebSocket agent: it listens to streams, records them, and speaks or echoes.

    python -m freeswitch_audio_stream.services.agent.server --port 8080 --play hello.wav --record recordings

It is the peer of the demo and of tests, where it runs on a thread of the same process, and of use by itself
to try a FreeSWITCH out. What it has heard is kept in memory until it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import concurrent.futures
import logging
import signal
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

from websockets.asyncio.server import ServerConnection, basic_auth, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ...audio import ALL_RATES, Samples, samples_to_l16
from .session import AgentSession, Message, ReceivedMedia
from .wav import read_wav, write_wav

BURST_SECONDS = 0.5
"""Of speech in one media.play. All of them are sent at once, as speech synthesisers do."""

MAX_MESSAGE_BYTES = 16 << 20

CLOSING_SECONDS = 2
"""How long a stream has to answer the closing handshake when the agent stops."""

Observer = Callable[[AgentSession, Message], None]


class Agent:
    """A server on a thread of its own; also a context manager.

    On a stream's start it plays `speech` (int16 samples and their rate in Hz) and asks for the checkpoint
    ``agent-1`` at its end; with `echo` it sends back what the caller says. With a `record` folder every track
    is written there when its stream ends. `observer` is called on the agent's thread with every message that
    is not media, and with ``{"event": "closed", "code": …, "reason": …}``; it must not block.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, speech: tuple[Samples, int] | None = None,
                 echo: bool = False, record: Path | None = None, tls: ssl.SSLContext | None = None,
                 credentials: tuple[str, str] | None = None, observer: Observer | None = None) -> None:
        """`port` 0: any free one. `credentials`: user and password that are asked of streams."""
        self.host = host
        self.port = port
        self.sessions: list[AgentSession] = []
        """Every connection so far, in order."""
        self._speech = speech
        self._echo = echo
        self._record = record
        self._tls = tls
        self._credentials = credentials
        self._observer = observer or (lambda session, message: None)
        self._connected = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """For the start command; valid after `start`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}/"

    def start(self) -> Agent:
        """Listen; `port` is then the real one. Raise OSError when that cannot be had."""
        ready: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), name="agent",
                                        daemon=True)
        self._thread.start()
        try:
            self.port = ready.result()
        except OSError:
            self._thread.join()
            self._thread = None
            raise
        return self

    def stop(self) -> None:
        """Close every connection (1001) and wait for the thread; idempotent."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Agent:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def wait_for_session(self, number: int = 1, timeout: float = 30.0) -> AgentSession:
        """The `number`-th connection, the first is 1; raise TimeoutError after `timeout` seconds."""
        with self._connected:
            if not self._connected.wait_for(lambda: len(self.sessions) >= number, timeout):
                raise TimeoutError(f"connection {number} has not come within {timeout:g} s")
            return self.sessions[number - 1]

    async def _serve(self, ready: concurrent.futures.Future[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            async with serve(self._converse, self.host, self.port, **self._options()) as server:
                ready.set_result(next(iter(server.sockets)).getsockname()[1])
                await self._stopping.wait()
        except OSError as error:
            if ready.done():
                raise
            ready.set_exception(error)

    def _options(self) -> dict[str, Any]:
        return {
            "ssl": self._tls,
            # Whatever a stream offers is agreed to.
            "select_subprotocol": _first_offered,
            "process_request": basic_auth("agent", self._credentials) if self._credentials else None,
            "compression": None,
            "max_size": MAX_MESSAGE_BYTES,
            "close_timeout": CLOSING_SECONDS,
            # It would count the time for which this process stood still: the streams look after their connections.
            "ping_interval": None,
            "logger": _silent_logger(),
        }

    async def _converse(self, connection: ServerConnection) -> None:
        outgoing: asyncio.Queue[str | bytes] = asyncio.Queue()
        request = connection.request
        assert request is not None

        def send(message: str | bytes) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(outgoing.put_nowait, message)

        session = AgentSession(request.path, dict(request.headers.raw_items()), send)
        with self._connected:
            self.sessions.append(session)
            self._connected.notify_all()
        sender = asyncio.create_task(_send_all(connection, outgoing))
        try:
            async for message in connection:
                self._answer(session, session.receive(message, time.monotonic()))
        except ConnectionClosed:
            pass  # not properly; the code says so
        finally:
            sender.cancel()
            self._end(session, connection.close_code or 1006, connection.close_reason or "")

    def _answer(self, session: AgentSession, taken: Message | list[ReceivedMedia]) -> None:
        if isinstance(taken, list):
            # The outbound track holds what we play: that would go round for ever.
            for media in taken if self._echo else ():
                if media.track == "inbound":
                    session.send(play_message(session.stream_id, media.samples, session.rate))
        elif taken:
            self._observer(session, taken)
            if taken.get("event") == "start" and self._speech:
                for message in play_messages(session.stream_id, *self._speech, checkpoint="agent-1"):
                    session.send(message)

    def _end(self, session: AgentSession, code: int, reason: str) -> None:
        if self._record:
            for track in session.tracks:
                name = _file_name(self._record, f"{session.stream_id}-{track}")
                write_wav(name, session.samples(track), session.rate)
        session.close(code, reason)
        self._observer(session, {"event": "closed", "code": code, "reason": reason})


def play_message(stream_id: str, samples: Samples, rate: int, checkpoint: str | None = None) -> Message:
    """A ``media.play`` of int16 samples at `rate` Hz."""
    payload: Message = {"audioData": base64.b64encode(samples_to_l16(samples)).decode(), "sampleRate": rate,
                        "format": "LINEAR16"}
    if checkpoint:
        payload["checkpoint"] = checkpoint
    return {"event": "media.play", "streamId": stream_id, "payload": payload}


def play_messages(stream_id: str, samples: Samples, rate: int, checkpoint: str) -> Iterator[Message]:
    """The same in bursts of `BURST_SECONDS`, the last of them with the checkpoint."""
    step = int(rate * BURST_SECONDS)
    for begin in range(0, len(samples), step):
        last = begin + step >= len(samples)
        yield play_message(stream_id, samples[begin:begin + step], rate, checkpoint if last else None)


async def _send_all(connection: ServerConnection, outgoing: asyncio.Queue[str | bytes]) -> None:
    try:
        while True:
            await connection.send(await outgoing.get())
    except ConnectionClosed:
        pass


def _first_offered(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[0] if offered else None


def _silent_logger() -> logging.Logger:
    """Handshakes that fail are the client's to report; here they would only be a traceback on the
    terminal."""
    logger = logging.getLogger(__name__)
    logger.addHandler(logging.NullHandler())
    return logger


def _file_name(folder: Path, name: str) -> Path:
    """A file that is not there yet; a stream's id may hold anything."""
    safe = "".join(character if character.isalnum() or character in "-_." else "_" for character in name)
    file, number = folder / f"{safe}.wav", 1
    while file.exists():
        number += 1
        file = folder / f"{safe}-{number}.wav"
    return file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeswitch-audio-stream agent",
        description="A WebSocket server for audio streams: prints what they say, records, plays or echoes.",
        epilog="example: freeswitch-audio-stream agent --port 8080 --echo --record calls")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0: any free one (default: %(default)s)")
    parser.add_argument("--play", type=Path, metavar="WAV", help="16-bit mono; played when a stream starts")
    parser.add_argument("--echo", action="store_true", help="send back what the caller says")
    parser.add_argument("--record", type=Path, metavar="FOLDER",
                        help="write every track of every stream there")
    parser.add_argument("--cert", type=Path, metavar="PEM", help="certificate and key: listen for wss://")
    parser.add_argument("--user", metavar="NAME:PASSWORD", help="credentials that streams have to show")
    return parser


def _print(session: AgentSession, message: Message) -> None:
    print(f"{session.stream_id}: {message}", flush=True)
    if message.get("event") == "closed":
        for track in session.tracks:
            seconds = session.sample_count(track) / session.rate
            print(f"{session.stream_id}: heard {seconds:.2f} s {track}", flush=True)
        for fault in session.faults:
            print(f"{session.stream_id}: fault: {fault}", flush=True)


def _agent(options: argparse.Namespace) -> Agent:
    """Raises OSError and ValueError with a sentence."""
    speech = read_wav(options.play) if options.play else None
    if speech and speech[1] not in ALL_RATES:
        raise ValueError(f"{options.play} has {speech[1]} Hz: use one of {', '.join(map(str, ALL_RATES))}")
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert)
    user, _, password = (options.user or "").partition(":")
    if options.record:
        options.record.mkdir(parents=True, exist_ok=True)
    return Agent(host=options.host, port=options.port, speech=speech, echo=options.echo, tls=tls,
                 record=options.record, credentials=(user, password) if user else None, observer=_print)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; the exit status."""
    options = _parser().parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with _agent(options) as agent:
            print(f"listening on {agent.url}", flush=True)
            ended.wait()
    except (OSError, ValueError) as error:
        print(f"The agent cannot run: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
