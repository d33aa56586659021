"""How the tables of the event log came to be, one Alembic revision a change."""
