"""Tests of recsys.interactions."""
