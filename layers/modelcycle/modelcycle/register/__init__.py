"""Step 6, versioning: an immutable version with its lineage, in one transaction."""

from modelcycle.register.register import register

__all__ = ["register"]
