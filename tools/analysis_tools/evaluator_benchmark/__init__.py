"""The parts of benchmark_evaluator.py."""
