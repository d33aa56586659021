"""How good a ranking is: metrics with intervals, ranking tasks and the back-test on fixed files."""
