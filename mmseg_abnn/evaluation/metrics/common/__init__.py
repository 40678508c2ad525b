"""What the metrics share: their inputs, the names and forms of their results, and figures."""
