"""Speech agents spoken to straight from the switch, each with a local server of its protocol."""
