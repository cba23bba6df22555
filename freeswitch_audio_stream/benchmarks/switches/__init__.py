"""The switches that are measured, and what the benchmark does inside them."""
