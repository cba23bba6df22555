"""What is told of a stream: events, status, statistics, lines of the log."""
