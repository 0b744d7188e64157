"""The demo mission: real public data of the Central African Republic, and simulated partners at real places."""

from ingest.demo.load import load

__all__ = ["load"]
