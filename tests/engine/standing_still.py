"""A process with streams on an embedded switch, for a test that stops it and has it go on.

    python -m tests.engine.standing_still <url> <streams> <seconds allowed for connecting>

It writes ``ready`` when all has been started. For each line it reads, it writes the events so far, as a JSON list of
the call's UUID and the event's name, when all that was due on the streams' threads has been done. At the end of its
input it ends, in order.
"""

from __future__ import annotations

import sys
import threading

import orjson

from .harness import MODULE, PATIENCE, Platform


def main(url: str, streams: int, timeout: int) -> None:
    platform = Platform()
    for _ in range(streams):
        call = platform.call(speed=1)
        platform.start(call, f"{{ping-secs=3}}{url}", timeout=timeout)
        platform.tell(call, "pause")  # or the audio of a minute would keep the server busy when it goes on
    print("ready", flush=True)
    for _ in sys.stdin:
        _let_timers_run(platform)
        events = [(event.headers.get("Unique-ID"), event.subclass) for event in list(platform.switch.events)
                  if event.subclass.startswith(MODULE)]
        print(orjson.dumps(events).decode(), flush=True)
    platform.close()


def _let_timers_run(platform: Platform) -> None:
    for dispatcher in platform.module.registry._dispatchers.values():
        for _ in range(2):  # timers come behind the jobs
            done = threading.Event()
            dispatcher.post(done.set)
            assert done.wait(PATIENCE)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
