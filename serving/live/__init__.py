"""Live streams: what changes in a contact reaches every open page."""
