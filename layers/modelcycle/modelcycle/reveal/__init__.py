"""Shows a person, who has to say why, the values of encrypted cells; the audit trail has it before."""

from modelcycle.reveal.reveal import reveal
from modelcycle.reveal.reveal_request import read_reveal

__all__ = ["read_reveal", "reveal"]
