"""The vocabulary of the bank's contact centre: standard library only, frozen, no I/O."""
