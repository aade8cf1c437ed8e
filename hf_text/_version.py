"""The version, in a separate module so that setup.cfg can read it without importing anything else."""

__version__ = "0.2.0"
