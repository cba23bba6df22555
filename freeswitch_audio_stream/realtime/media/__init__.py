"""Between the call and the rings: capture, playback, the write clock, resampling, digits."""
