"""The WebSocket and HTTP endpoints.

    app.py          the application, its routes, and what it refuses
    endpoints.py    what stands behind the routes
    audio.py        a recording's audio and waveform
    websocket.py    the WebSocket endpoints
    answers.py      bodies of answers, as the specification has them
    metrics.py      /metrics
    protocol.py     WebSockets as uvicorn has them, with our limit of a message
"""
