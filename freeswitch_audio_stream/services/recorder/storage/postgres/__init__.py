"""What many recorders share in PostgreSQL.

    tables.py      its tables
    migrations/    how they came to be; alembic carries it out
    schema.py      brings a database to the present
    database.py    connections, and what is tried again
    catalogue.py   the catalogue of sessions
    recordings.py  recordings in an object store: how far they are, where their bytes are
    owners.py      which replica goes on with a recording, and which replicas there are
"""
