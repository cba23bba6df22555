"""What every HTTP server of ours stands on; it knows nothing of calls, streams, the engine or the commands.

    server.py             WebServer: an ASGI application, served by uvicorn on a thread of its own
    listen_address.py     where it listens
    certificate.py        what it shows with TLS
    listener.py           accepts connections,
    connection_limits.py  as many as may be open at once
    http_protocol.py      reads requests, each within a deadline
    deadline.py           by which the other side has to have done its part
    request_body.py       the body of a request, up to a length
    refusals.py           what a client is refused with, as JSON
    keys.py               keys and tokens, compared in constant time
    failure_limit.py      how often an address may fail
    documentation.py      /docs and /redoc, without the internet
    worker_lanes.py       threads for what may block, by kind
    live_page/            what the pages of live things share
    occasionally.py       log lines that could come by the thousand
"""
