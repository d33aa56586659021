"""From all offers to a short list: permission, contact policy, propensity, arbitration and explanation."""
