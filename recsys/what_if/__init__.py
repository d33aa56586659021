"""What if the catalogue or the policy were another: the decisions for a whole customer base, compared."""
