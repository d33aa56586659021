"""Tests of recsys.models."""
