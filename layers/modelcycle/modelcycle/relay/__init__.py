"""Carries the events of the registry from the table's stream to the bus, each at least once."""

from modelcycle.relay.relay import relay

__all__ = ["relay"]
