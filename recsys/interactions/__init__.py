"""From single events to what models learn from: evidence weights and the sparse customer × offer matrix."""
