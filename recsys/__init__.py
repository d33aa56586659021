"""The recommender: vocabulary, catalogue, event log, models, ranking and the decision itself."""
