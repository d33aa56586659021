"""The benchmarks behind `nbo bench`: real servers, a real load, and a floor from the same run."""
