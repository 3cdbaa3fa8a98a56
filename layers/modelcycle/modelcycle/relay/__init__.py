"""From the registry's stream to the bus: each event record is put on the bus at least once."""

from modelcycle.relay.relay import relay

__all__ = ["relay"]
