"""How the tables came to be, one step a file in versions/; alembic runs env.py, which runs them."""
