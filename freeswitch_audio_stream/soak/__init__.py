"""``scripts/soak``: calls with streams for hours, with faults on purpose, and every sample of either side checked."""
