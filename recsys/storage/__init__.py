"""The event log: what happened, in SQLite or PostgreSQL, and how it gets in and out."""
