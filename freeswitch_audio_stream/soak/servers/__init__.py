"""The servers of a soak, one for each way to reach a server."""
