"""Handing a stream to the thread that looks after it: queues of stream indices that wake only a sleeper.

Any number of threads push; one thread pops. A stream's ``*_queued`` flag keeps it in a queue at most once, so
the queue cannot overflow and a push is two atomic operations. A sleeper announces itself, looks once more,
and only then blocks; a pusher stores first and looks for a sleeper afterwards. With a full barrier on both
sides one of them sees the other, so no wake-up is lost and none is paid for while the reader is awake.
"""

from __future__ import annotations

from ..native.atomics import exchange, fence, fetch_add, fetch_or, load_acquire, store_release
from ..native.compiler import native, native_helper
from ..native.libc import drain_event_fd, sleep_on, wake_event_fd
from .records import OFFSET, QUEUE, QUEUE_SLOTS, queue_at, stream_at

_TAIL = int(QUEUE.fields["tail"][1])  # type: ignore[index]
_SLEEPING = int(QUEUE.fields["sleeping"][1])  # type: ignore[index]
_MASK = QUEUE_SLOTS - 1
_IO_QUEUED, _DISPATCH_QUEUED = OFFSET["io_queued"], OFFSET["dispatch_queued"]
_CLOCK_QUEUED = OFFSET["clock_queued"]
_ATTENTION, _SOCKET_REQUEST, _CLOCK_STOP = OFFSET["attention"], OFFSET["socket_request"], OFFSET["clock_stop"]
_OUTBOX_WRITE, _INBOX_READ, _INBOX_WRITE = OFFSET["outbox_write"], OFFSET["inbox_read"], OFFSET["inbox_write"]
_MARKS_READ, _WAITING_INBOX = OFFSET["marks_read"], OFFSET["waiting_inbox"]
_MARKS_TAKEN, _INBOX_SETTLED, _LIKENESS = OFFSET["marks_taken"], OFFSET["inbox_settled"], OFFSET["likeness"]
_CAPTURE_READ, _CAPTURE_WRITE = OFFSET["capture_read"], OFFSET["capture_write"]
_CAPTURE_SENT, _RESUMED = OFFSET["capture_sent"], OFFSET["resumed"]


@native_helper
def push(queue: int, index: int) -> None:
    """Append a stream index; wakes the reader if it sleeps. Any thread; lock-free."""
    ticket = fetch_add(queue + _TAIL, 1)
    store_release(queue_at(queue).slots + 8 * (ticket & _MASK), index + 1)
    fence()
    if load_acquire(queue + _SLEEPING) == 1 and exchange(queue + _SLEEPING, 0) == 1:
        wake_event_fd(queue_at(queue).event_fd)


@native("int64(int64)")
def pop(queue: int) -> int:
    """The oldest index, or -1. Only the queue's reader."""
    record = queue_at(queue)
    slot = record.slots + 8 * (record.head & _MASK)
    value = load_acquire(slot)
    if value == 0:
        return -1
    store_release(slot, 0)
    record.head += 1
    return value - 1


@native("int64(int64)")
def announce_sleep(queue: int) -> int:
    """1 if the reader may block now; 0 if something came in meanwhile (then it stays awake)."""
    store_release(queue + _SLEEPING, 1)
    fence()
    record = queue_at(queue)
    if load_acquire(record.slots + 8 * (record.head & _MASK)) != 0:
        store_release(queue + _SLEEPING, 0)
        return 0
    return 1


@native("void(int64)")
def awake(queue: int) -> None:
    """The reader is awake again, for whatever reason."""
    store_release(queue + _SLEEPING, 0)


@native("void(int64)")
def to_io(stream: int) -> None:
    """Have the I/O loop look at a stream."""
    if exchange(stream + _IO_QUEUED, 1) == 0:
        record = stream_at(stream)
        push(record.io_queue, record.index)


@native("void(int64)")
def to_clock(stream: int) -> None:
    """Have the write clock look at a stream."""
    if exchange(stream + _CLOCK_QUEUED, 1) == 0:
        record = stream_at(stream)
        push(record.clock_queue, record.index)


@native("void(int64, int64)")
def attend(stream: int, bits: int) -> None:
    """Have the dispatcher look at a stream, and why (ATTEND_…)."""
    fetch_or(stream + _ATTENTION, bits)
    if exchange(stream + _DISPATCH_QUEUED, 1) == 0:
        record = stream_at(stream)
        push(record.dispatch_queue, record.index)


@native("void(int64, int64)")
def report_close(stream: int, bit: int) -> None:
    """A bug is closed (ATTEND_…_CLOSED): have the dispatcher look at it, and know what the server had sent by then."""
    stream_at(stream).inbox_at_close = load_acquire(stream + _INBOX_WRITE)
    attend(stream, bit)


@native("int64(int64)")
def take_attention(stream: int) -> int:
    """The ATTEND_ bits set since the last call. The flag falls first: a bit set meanwhile queues it again."""
    store_release(stream + _DISPATCH_QUEUED, 0)
    fence()
    return exchange(stream + _ATTENTION, 0)


@native("void(int64, int64)")
def request_socket(stream: int, request: int) -> None:
    """Ask the I/O loop for SOCKET_ATTACH or SOCKET_DETACH."""
    store_release(stream + _SOCKET_REQUEST, request)
    to_io(stream)


@native("void(int64, int64)")
def publish_outbox(stream: int, position: int) -> None:
    """The outbox is written up to `position`."""
    store_release(stream + _OUTBOX_WRITE, position)
    to_io(stream)


@native("int64(int64)")
def inbox_written(stream: int) -> int:
    """How far the inbox is written."""
    return load_acquire(stream + _INBOX_WRITE)


@native("void(int64, int64)")
def release_inbox(stream: int, position: int) -> None:
    """The inbox is read up to `position`; an I/O loop that waits for room goes on."""
    store_release(stream + _INBOX_READ, position)
    fence()
    if load_acquire(stream + _WAITING_INBOX):
        to_io(stream)


@native("void(int64)")
def settle_inbox(stream: int) -> None:
    """All that was read from the inbox has been obeyed."""
    store_release(stream + _INBOX_SETTLED, stream_at(stream).inbox_read)


@native("void(int64, int64)")
def set_likeness(stream: int, address: int) -> None:
    """Have the I/O loop take messages that are like this one (LIKENESS) from now on; 0: none."""
    store_release(stream + _LIKENESS, address)


@native("int64(int64)")
def marks_settled(stream: int) -> int:
    """Return how many entries of the playback side list are settled."""
    return load_acquire(stream + _MARKS_READ)


@native("void(int64, int64)")
def release_marks(stream: int, position: int) -> None:
    """The side list is read up to `position`: those entries may be used again."""
    store_release(stream + _MARKS_TAKEN, position)


@native("void(int64)")
def stop_clock(stream: int) -> None:
    """Have the write clock let go of a stream for good."""
    store_release(stream + _CLOCK_STOP, 1)
    to_clock(stream)


@native("int64(int64, int64)")
def wait(queue: int, timeout_us: int) -> int:
    """Block until the queue has something (1) or the time is over (0). Only the queue's reader."""
    if not announce_sleep(queue):
        return 1
    event_fd = queue_at(queue).event_fd
    woken = sleep_on(event_fd, timeout_us)
    if woken:
        drain_event_fd(event_fd)
    awake(queue)
    return woken


@native("int64(int64)")
def take_captured(stream: int) -> int:
    """How far the capture ring is written, for a reader that is told by the dispatcher's queue."""
    store_release(stream + _IO_QUEUED, 0)
    fence()
    return load_acquire(stream + _CAPTURE_WRITE)


@native("void(int64, int64, int64)")
def resume(stream: int, kept: int, position: int) -> None:
    """Audio that is kept until it is acknowledged goes on at `position`; what stands before `kept` is not needed."""
    store_release(stream + _CAPTURE_READ, kept)
    store_release(stream + _CAPTURE_SENT, position)
    store_release(stream + _RESUMED, 1)
    to_io(stream)


@native("void(int64, int64)")
def release_captured(stream: int, position: int) -> None:
    """The capture ring is read up to `position`."""
    store_release(stream + _CAPTURE_READ, position)
