"""What stands behind the sessions: storage, catalogue and ownership, made to fit each other.

    interface.py    what every engine has
    embedded.py     one machine: a directory, and SQLite in it
    distributed.py  many machines: an object store, and PostgreSQL
"""
