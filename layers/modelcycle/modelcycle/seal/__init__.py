"""Step 12, governance: the ends of all audit trails are sealed, each day, where nobody can change or delete them."""

from modelcycle.seal.daily_seal import DailySeal, SealedCaptures, read_seal, seal_key, sealed_days
from modelcycle.seal.seal import seal

__all__ = ["DailySeal", "SealedCaptures", "read_seal", "seal", "seal_key", "sealed_days"]
