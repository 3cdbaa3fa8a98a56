"""The screen of `export`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from cli.screens.lines import labelled
from modelcycle.signing import Checked

LABEL_WIDTH = 14  # characters
NOT_SIGNED = {
    "unsigned": "not signed: it was registered while the stack had no key for it",
    "unchecked": "not checked: the stack has no key that signs (GovernanceKeys)",
}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Parameters
    ----------
    key : SHA-256 in hex of the public key that signed it (DER); empty if it is not signed
    mlflow : the folder is one of MLflow
    erased : files that an erasure has changed since the version was signed
    """

    model: str
    version: int
    folder: str
    files: list[str]
    checked: Checked
    key: str
    mlflow: bool
    erased: list[str] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        return asdict(self)


def exported_text(made: Exported) -> str:
    """Return where the files are, and how others check or open them."""
    rows = [("files", ", ".join(made.files))]
    if made.erased:
        changed = f"an erasure has changed {', '.join(made.erased)} since it was signed"
        vouched = "; the stack's key has signed that change too" if made.checked == "signed" else ""
        left_out = "" if made.mlflow else ", so the folder has no signature that others can check"
        rows.append(("signed", f"{changed}{left_out}{vouched}"))
    elif made.checked == "signed":
        rows.append(("signed", "by the stack's key; the signature and every file were checked"))
        rows.append(("key", f"SHA-256 {made.key}"))
    else:
        rows.append(("signed", NOT_SIGNED[made.checked]))
    if made.mlflow:
        rows.append(("note", "the graph is a copy, with inputs and outputs as MLflow has them: not what was signed"))
        rows.append(("open it", f"python -c \"import mlflow; mlflow.pyfunc.load_model('{made.folder}')\""))
    elif made.checked == "signed" and not made.erased:
        rows.append(("check it", "pip install model-signing pyopenssl"))
        rows.append(
            ("", f"model_signing verify key {made.folder} --signature {made.folder}/model.sig --public_key KEY.pem")
        )
        rows.append(("KEY.pem", "from whom the checker trusts: public-key.pem in the folder proves nothing by itself"))
    return "\n".join([f"{made.model}:{made.version} is in {made.folder}", *labelled(rows, LABEL_WIDTH)])
