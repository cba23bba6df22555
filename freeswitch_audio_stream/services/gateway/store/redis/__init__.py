"""Sessions in Redis, for several processes on several machines: each answers any request of any session.

    keys.py        the names of keys and channels
    records.py     what is kept, as bytes, and back
    scripts.py     the Lua scripts in lua/, each one step that happens as a whole
    pipeline.py    the connection: what is asked within one turn of the event loop goes in one pipeline
    reader.py      the one task that hears what other processes tell
    polls.py       the polls that wait in this process
    leases.py      the sessions whose agents this process runs
    membership.py  who lives, and who takes over from whom does not
    store.py       all of it, as a store

A session is a handful of keys of one slot, and the index of all sessions and processes is another slot: no script
touches two. A process that lives says so every second; where it has not for two and a half, the others share its
sessions. Each lease has an epoch, higher than all before; every commit shows it, and the one of a lease that was lost
changes nothing.
"""
