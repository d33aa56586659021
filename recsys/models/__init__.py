"""Relevance models behind one protocol, and the checked bundle in which a trained one travels to serving."""
