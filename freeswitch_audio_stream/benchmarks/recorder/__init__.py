"""The benchmark of the recorder: its load, and the least that any server can do that keeps what it acknowledges."""
