"""Which models read the stream, as their pipeline files say."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from modelcycle.faults import BadPipeline, Unknown
from modelcycle.land.stream_records import Reason
from modelcycle.spec import MODEL_NAME, StreamSource
from modelcycle.spec.parsing import parse

LIFETIME_SECONDS = 60  # of a pipeline file that was read
MAX_KNOWN = 1000  # models; senders may make up names without end

ReadPipeline = Callable[[str], bytes]
"""Returns the current bytes of an object by its key. Raises Unknown if there is none."""


class StreamSources:
    """Finds the section `source` of a model; remembers it for a minute."""

    def __init__(self, read: ReadPipeline, clock: Callable[[], float] = time.monotonic) -> None:
        self.read = read
        self.clock = clock
        self._known: dict[str, tuple[float, StreamSource | Reason]] = {}

    def __call__(self, model: str) -> StreamSource | Reason:
        """Return the section, or why the model gets no records.

        Raises
        ------
        Transient : the bucket does not answer
        """
        at, source = self._known.get(model, (float("-inf"), None))
        if source is None or self.clock() - at > LIFETIME_SECONDS:
            source = self._find(model)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[model] = self.clock(), source
        return source

    def _find(self, model: str) -> StreamSource | Reason:
        if not re.fullmatch(MODEL_NAME, model):  # and so no key outside pipelines/ is read
            return "names an unknown model"
        try:
            pipeline = parse(self.read(f"pipelines/{model}.yaml"))
        except Unknown:
            return "names an unknown model"
        except BadPipeline:
            return "names a model whose pipeline file has errors"
        if not isinstance(pipeline.source, StreamSource):
            return "names a model whose source is not the stream"
        return pipeline.source
