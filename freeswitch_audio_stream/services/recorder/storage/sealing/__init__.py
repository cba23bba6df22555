"""Recordings that only who has the master key can hear.

    master_keys.py  which there are, and how the key of a recording is wrapped by one
    layout.py       how a sealed file is made up: its header, and its blocks
    sealed_file.py  one that grows
    reading.py      one that is finished
    rewrapping.py   another master key for a file, whose audio stays as it is
"""
