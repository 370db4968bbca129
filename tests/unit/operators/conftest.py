"""The fixtures of tasks that run."""

from tests.unit.operators.harness import clock

__all__ = ["clock"]
