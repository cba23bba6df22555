"""Where sessions are kept: one interface, and two implementations.

    interface.py   what a store does for requests, and for who runs an agent
    pieces.py      what waits for the caller, and how much of it an answer takes
    memory.py      sessions of one process
    redis/         sessions that several processes share
"""
