"""The front doors: HTTP API, consoles, live streams and the command line nbo."""
