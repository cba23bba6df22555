"""An event socket client on greenswitch: starts a stream on a call, says what it is told of it, and ends the call when
the stream is up.
"""

import json
import sys

import gevent.event
import greenswitch

port, uuid, url = int(sys.argv[1]), sys.argv[2], sys.argv[3]
switch = greenswitch.InboundESL(host="127.0.0.1", port=port, password="ClueCon")
is_over = gevent.event.Event()


def on_event(event):
    name = event.headers["Event-Subclass"].split("::")[1]
    body = event.headers["Content-Length"].partition("\n")[2]  # the library leaves it behind the last header
    print(name, event.headers["Unique-ID"], json.loads(body)["streamId"])
    if name == "connection_established":
        gevent.spawn(switch.send, f"api uuid_kill {uuid}")
    if name == "stream_stopped":
        is_over.set()


switch.connect()
for subclass in ("mod_audio_stream::connection_established", "mod_audio_stream::stream_stopped"):
    switch.register_handle(subclass, on_event)
    switch.send(f"EVENTS PLAIN CUSTOM {subclass}")
answer = switch.send(f"api uuid_audio_stream {uuid} s start {url} inbound 8000 5 1")
print("answer", answer.data.strip())
is_over.wait(60)
switch.stop()
