"""Documents about a version, made of recorded facts only: what is not on record is shown as missing, with what to do.

`card`, `datasheet` and `bill_of_materials` are made by `govern` from what a run has recorded. `technical_file` and
`risk_index` also tell what happened since, so they are made when somebody asks.
"""

from modelcycle.documents.bill_of_materials import bill_of_materials
from modelcycle.documents.card import card
from modelcycle.documents.datasheet import datasheet
from modelcycle.documents.life import Life
from modelcycle.documents.made import Made, ProfileFacts
from modelcycle.documents.outline import Document, Missing, markdown
from modelcycle.documents.risk_index import risk_index
from modelcycle.documents.technical_file import technical_file

__all__ = [
    "Document", "Life", "Made", "Missing", "ProfileFacts", "bill_of_materials", "card", "datasheet", "markdown",
    "risk_index", "technical_file",
]  # fmt: skip
