"""The tables of the job queue, as procrastinate has them; a version of it that needs others is another step."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.util import await_only

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("SELECT 1")  # the driver's transaction begins with the first statement
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    await_only(connection.execute(SchemaManager.get_schema()))  # many statements, which only the driver itself takes
