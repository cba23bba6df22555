"""From a start command and its call to what the stream will be."""
