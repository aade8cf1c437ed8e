"""The version, in a module of its own: setup.cfg reads it without importing anything else."""

__version__ = "0.2.0"
