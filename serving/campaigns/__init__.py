"""Campaigns: drafted, checked, approved, run, and shipped or stopped, over HTTP."""
