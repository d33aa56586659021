"""A/B campaigns: who sees what, and whether it worked."""
