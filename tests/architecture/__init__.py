"""The rules of the code, each with its check, and the documents that are written from the code."""
