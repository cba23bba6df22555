"""The connection to the server, or of a client to us: made, kept alive, closed, made again."""
