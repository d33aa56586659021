"""A believable retail bank that knows nothing of the models: its people, their past and how they answer."""
