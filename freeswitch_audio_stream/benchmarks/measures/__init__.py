"""What is measured, a subcommand a file, and what a measurement stands on: calls, streams, resamplers."""
