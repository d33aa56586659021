"""The command line `nbo`: one module per group of commands, each importing what it needs when it runs."""
