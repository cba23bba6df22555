"""The benchmark: what a stream costs, how late its audio is, and how many fit. Run it with ``./scripts/bench``.

Three processes take part, so that none is charged for another's work: the switch that is measured (`switches`), the
receiver that plays the server (`receiver`), and this one, which gives orders and reads counters. What has to run
inside the switch to be measured there, `inside` and `probes`, is compiled like the product itself.
"""
