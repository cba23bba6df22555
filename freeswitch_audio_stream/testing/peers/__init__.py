"""Servers for our client, and clients' other ends: what tests, demo and benchmarks hold the product against.

    listener.py           accepts, and calls a handler for each connection; the WebSocket handshake's answer
    connection_end.py     reads exactly, or says that the connection is over
    raw_websocket.py      a WebSocket server whose every byte a test decides
    websocket_end.py      reads a WebSocket's frames with the library `websockets`
    frame_server.py       a WebSocket server that keeps frames, and leaves pings unanswered where it is told to
    recording_server.py   a WebSocket server on the library `websockets` that keeps messages, dies and comes back
    server_thread.py      the thread, and the life, of a server on the library `websockets`; others say what it does
    audiosocket_end.py    a server's end of AudioSocket over TCP
    fault_proxy.py        a TCP proxy between both: it delays, limits, stops reading, swallows, cuts, resets, refuses

None shares code with the client, nor with each other's parsers: an error in one shows in another.
"""

PATIENCE = 30.0
"""Seconds after which what has not happened will not happen."""
