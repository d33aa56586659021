"""Tests of the event log on both databases."""
