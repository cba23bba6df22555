"""One I/O loop: the sockets of its streams, epoll, and nothing that waits for the GIL.

A stream's socket is given to the loop and taken back by request (SOCKET_…); between ATTACH and the answer to
DETACH (ATTEND_SOCKET_DETACHED) no other thread touches it, so it can be neither closed under the loop nor
written to twice. One stream that stalls costs the others nothing: all sockets are non-blocking.

While streams come in so fast that a nap of at most `longest_nap` us brings several, the loop naps rather than wait to
be woken: they are then served at once, and the media threads make no system call for any of them. When a nap has
brought nothing, it sleeps until it is woken.
"""

from __future__ import annotations

import numpy as np

from ...native.atomics import exchange, fence, int32_at, int64_at, load_acquire, pointer, store_release, wide
from ...native.compiler import native, native_helper
from ...native.libc import (EPOLL_ADD, EPOLL_DATA_OFFSET, EPOLL_DEL, EPOLL_EVENT_BYTES, EPOLL_MOD, EPOLLERR, EPOLLET,
                            EPOLLHUP, EPOLLIN, EPOLLOUT, epoll_ctl, epoll_wait, errno, monotonic_us, nap)
from ..records import (ATTEND_SOCKET_BROKEN, ATTEND_SOCKET_DETACHED, FRAMING_HTTP, IO_LOOP, OFFSET, SOCKET_ATTACH,
                       SOCKET_DETACH, SOCKET_NONE, STREAM, io_loop_at, queue_at, stream_at)
from ..wakeup import announce_sleep, attend, awake, pop, to_io
from .http_incoming import begin_connection, end_answers
from .http_outgoing import pump_requests
from .incoming import RECEIVED_ALL, RECEIVED_END, has_room, parse, receive
from .jitter_buffer import forget_packets, release_all, release_held
from .outgoing import SENT_ALL, SENT_FAILED, SENT_PART, pump
from .tls import tls_end

_STOP = int(IO_LOOP.fields["stop"][1])  # type: ignore[index]
_IO_QUEUED, _SOCKET_REQUEST = OFFSET["io_queued"], OFFSET["socket_request"]
_STREAM_BYTES = STREAM.itemsize
EVENT_BATCH = 64
MIN_NAP_US, MAX_NAP_US = 250, 1000
"""The shortest nap that is worth its system call, and the longest unless the setting `io-nap-us` allows less."""
_WORTH_A_NAP, _AT_BEST = 2, 4  # streams that a nap should bring
_SMOOTHING = 8
WAKE_INDEX = -1
_NO_SOCKET = -1


@native_helper
def _control(loop: int, operation: int, fd: int, events: int, index: int) -> int:
    """epoll_ctl; 0 or an errno."""
    record = io_loop_at(loop)
    event = record.events + EVENT_BATCH * EPOLL_EVENT_BYTES
    int32_at(event, 1)[0] = np.int32(events)
    int64_at(event + EPOLL_DATA_OFFSET, 1)[0] = index
    if epoll_ctl(np.int32(record.epoll_fd), np.int32(operation), np.int32(fd), pointer(event)) == 0:
        return 0
    return errno()


@native_helper
def _watch(loop: int, address: int, waiting_write: int, waiting_inbox: int) -> None:
    """Ask epoll for what the stream waits for now, if that changed."""
    stream = stream_at(address)
    if stream.waiting_write == waiting_write and stream.waiting_inbox == waiting_inbox:
        return
    stream.waiting_write, stream.waiting_inbox = waiting_write, waiting_inbox
    # Edge-triggered while nothing may be read: a hang-up, which cannot be masked, is then told only once.
    events = (EPOLLOUT if waiting_write else 0) | (EPOLLET if waiting_inbox else EPOLLIN)
    _control(loop, EPOLL_MOD, stream.fd, events, stream.index)


@native_helper
def _forget(loop: int, address: int) -> None:
    stream = stream_at(address)
    if stream.fd != _NO_SOCKET:
        if stream.tls:
            tls_end(stream.tls)
        _control(loop, EPOLL_DEL, stream.fd, 0, 0)
        stream.fd = _NO_SOCKET


@native_helper
def _attach(loop: int, address: int) -> None:
    """Start with a fresh connection: nothing of an earlier one is left in the buffers."""
    stream = stream_at(address)
    stream.socket_error, stream.protocol_error, stream.peer_closed, stream.drained = 0, 0, 0, 0
    stream.out_position, stream.out_length = 0, 0
    stream.header_length, stream.payload_left, stream.message_opcode, stream.has_odd_byte = 0, 0, 0, 0
    stream.waiting_write, stream.waiting_inbox = 0, 0
    stream.introduced, stream.introduced_at = 0, 0
    forget_packets(stream)
    begin_connection(stream)
    stream.fd = stream.socket_fd
    problem = _control(loop, EPOLL_ADD, stream.fd, EPOLLIN, stream.index)
    if problem:
        stream.fd, stream.socket_error = _NO_SOCKET, problem
        attend(address, ATTEND_SOCKET_BROKEN)
        return
    parse(stream, stream.leftover, stream.leftover_bytes)


@native_helper
def _obey(loop: int, address: int) -> None:
    request = exchange(address + _SOCKET_REQUEST, SOCKET_NONE)
    if request == SOCKET_ATTACH:
        _attach(loop, address)
    elif request == SOCKET_DETACH:
        _forget(loop, address)
        release_all(stream_at(address))
        attend(address, ATTEND_SOCKET_DETACHED)


@native_helper
def _broken(loop: int, address: int) -> None:
    _forget(loop, address)
    attend(address, ATTEND_SOCKET_BROKEN)


@native_helper
def _send(loop: int, address: int) -> None:
    stream = stream_at(address)
    result = pump_requests(loop, address) if stream.framing == FRAMING_HTTP else pump(loop, address)
    if result == SENT_FAILED:
        _broken(loop, address)
    elif result == SENT_PART:
        _watch(loop, address, 1, stream.waiting_inbox)
    elif result == SENT_ALL:
        _watch(loop, address, 0, stream.waiting_inbox)


@native_helper
def _receive(loop: int, address: int) -> None:
    stream = stream_at(address)
    if stream.protocol_error:
        # What a peer says after it broke the protocol means nothing; Python answers and closes.
        _watch(loop, address, stream.waiting_write, 1)
        return
    result = receive(loop, address)
    if result == RECEIVED_END:
        if stream.framing == FRAMING_HTTP:
            end_answers(stream)
        _broken(loop, address)
    elif result == RECEIVED_ALL:
        _watch(loop, address, stream.waiting_write, 0)
    else:
        _watch(loop, address, stream.waiting_write, 1)
        # Python empties the inbox first and looks for a waiting loop afterwards; we the other way round.
        fence()
        if has_room(stream):
            to_io(address)


@native_helper
def _on_queued(loop: int, address: int) -> None:
    """A stream was pushed: a request, something to send, or room in an inbox that was full."""
    store_release(address + _IO_QUEUED, 0)
    fence()
    stream = stream_at(address)
    _obey(loop, address)
    release_held(stream)
    if stream.fd == _NO_SOCKET:
        return
    if stream.waiting_inbox and stream.protocol_error == 0:
        _receive(loop, address)  # and not only watch: a TLS session may hold what epoll does not know of
    if stream.fd != _NO_SOCKET and stream.waiting_write == 0:
        _send(loop, address)


@native_helper
def _on_event(loop: int, address: int, events: int) -> None:
    stream = stream_at(address)
    if stream.fd == _NO_SOCKET:
        return
    if events & EPOLLIN or stream.waiting_inbox:
        # A peer that hung up while the inbox was full still has a last word to be read.
        _receive(loop, address)
        if stream.framing == FRAMING_HTTP and stream.fd != _NO_SOCKET and stream.waiting_write == 0:
            _send(loop, address)  # the next request waits for an answer, which may have come
    elif events & (EPOLLERR | EPOLLHUP):
        _broken(loop, address)
    if events & EPOLLOUT and stream.fd != _NO_SOCKET:
        _send(loop, address)


@native_helper
def _serve_queue(loop: int) -> int:
    """Serve the streams that were pushed; return how many."""
    record = io_loop_at(loop)
    served = 0
    while True:
        index = pop(record.queue)
        if index < 0:
            return served
        _on_queued(loop, record.streams + index * _STREAM_BYTES)
        served += 1


@native_helper
def _serve_sockets(loop: int, timeout: int) -> None:
    """Serve the sockets that epoll tells of within `timeout` ms; -1 is for ever."""
    record = io_loop_at(loop)
    count = epoll_wait(np.int32(record.epoll_fd), pointer(record.events), np.int32(EVENT_BATCH), np.int32(timeout))
    for position in range(count):
        event = record.events + position * EPOLL_EVENT_BYTES
        index = int64_at(event + EPOLL_DATA_OFFSET, 1)[0]
        if index != WAKE_INDEX:
            _on_event(loop, record.streams + index * _STREAM_BYTES, wide(int32_at(event, 1)[0]))


@native_helper
def _sleep(loop: int) -> None:
    """Block until a stream is pushed or a socket is ready."""
    queue = io_loop_at(loop).queue
    timeout = -1 if announce_sleep(queue) else 0
    if load_acquire(loop + _STOP) == 0:
        _serve_sockets(loop, timeout)
    awake(queue)


@native("void(int64)")
def watch_wakeups(loop: int) -> None:
    """Add the queue's eventfd to the loop's epoll instance; before the loop runs."""
    # Edge-triggered: every write of it wakes, and nobody has to read it.
    _control(loop, EPOLL_ADD, queue_at(io_loop_at(loop).queue).event_fd, EPOLLIN | EPOLLET, WAKE_INDEX)


@native("void(int64)")
def run_io_loop(loop: int) -> None:
    """Serve until ``stop``; the calling thread gives up the GIL for all of it."""
    longest = io_loop_at(loop).longest_nap
    last, between = monotonic_us(), MAX_NAP_US
    while load_acquire(loop + _STOP) == 0:
        served = _serve_queue(loop)
        if served > 0:
            now = monotonic_us()
            between += ((now - last) // served - between) // _SMOOTHING
            last = now
        if served > 0 and between * _WORTH_A_NAP < longest:
            nap(min(max(between * _AT_BEST, MIN_NAP_US), longest))
            _serve_sockets(loop, 0)
        else:
            _sleep(loop)
