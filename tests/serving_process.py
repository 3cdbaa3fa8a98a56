"""Starts the predict function under awslambdaric, with a model from a folder instead of registry and bucket.

It forks for each line of its input, as the local cloud does, prints the process id, and its status when it has ended.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]
FUNCTION = ROOT / "functions" / "predict"


def main() -> None:
    sys.path[:0] = [str(ROOT), str(FUNCTION)]
    for module in ("boto3", "botocore.config", "modelcycle.aws", "modelcycle.predict.http_api"):
        importlib.import_module(module)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)
            os.close(0)
            serve()
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def serve() -> None:
    if not os.environ["IS_TOLD"]:
        vars(importlib.import_module("modelcycle.predict.after_answer"))["call_after_answers"] = lambda call: None
    app = importlib.import_module("app")  # registers with Lambda, as on its import there
    model = loaded_model()
    app.live_models = lambda: SimpleNamespace(get=lambda name: model)
    sys.argv = ["awslambdaric", "app.handler"]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


def loaded_model() -> object:
    from modelcycle.model.answer import LoadedVersion
    from modelcycle.model.scoring import Scorer
    from modelcycle.model.signature import Signature
    from modelcycle.predict.live_models import LiveModel
    from modelcycle.registry import Route

    folder = Path(os.environ["MODEL_FOLDER"])
    signature = Signature.model_validate_json((folder / "signature.json").read_text())
    scorer = Scorer(signature, (folder / "model.onnx").read_bytes())
    return LiveModel(Route(weights={1: 100}), {1: LoadedVersion(1, signature, scorer)})


if __name__ == "__main__":
    main()
