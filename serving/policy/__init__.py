"""The decision policy: read, and changed number by number."""
