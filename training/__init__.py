"""The event log becomes a registered, promotable model."""
