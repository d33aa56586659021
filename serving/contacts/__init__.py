"""Contacts: opened, heard, decided for, answered, handed over and closed."""
