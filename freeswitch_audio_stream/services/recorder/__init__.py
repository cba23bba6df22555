"""The recorder: a service that takes audio over WebSocket and never loses what it has acknowledged.

    settings.py     what there is to set
    options.py      options and environment files
    program.py      ``freeswitch-audio-stream recorder``
    service.py      puts the parts together, and takes them apart
    storage/        where audio is kept: journal, files, catalogue; or object store and database
    formats/        from the bytes of a client to samples
    jobs/           what many machines do in the background
    engines/        what stands behind the sessions, for one machine and for many
    sessions/       what a session is, who is connected to it, and which limits it has
    http/           WebSocket and HTTP endpoints
    page/           the page at /
    maintenance/    verify, repair, import, export

A layer imports only what stands above it here, storage first.
"""
