"""The mmengine side: runner, hooks, metrics, complexity."""
