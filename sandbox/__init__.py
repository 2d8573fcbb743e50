"""A stand-in for a Slack workspace: for the demo, tests, benchmarks and fault experiments, never for production."""
