"""From the text of a pipeline file to a `Pipeline`, or to every error at once, each with its line."""

from __future__ import annotations

from modelcycle.spec.document import Kind, read_document
from modelcycle.spec.pipeline import Pipeline

PIPELINE_FILE = Kind(
    remedy="`modelcycle schema` lists every key",
    levels="a pipeline file has three levels at most",
    smallest="write at least `name:` and `target:`",
    required="name and target are required",
)


def parse(text: str | bytes, where: str = "the pipeline file") -> Pipeline:
    """Parse and check a pipeline file.

    Parameters
    ----------
    text : YAML 1.1; bytes are UTF-8
    where : name of the file, for the error

    Raises
    ------
    BadPipeline : with every error at once, each with its line

    Examples
    --------
    >>> parse("name: churn\\ntarget: left").target
    'left'
    >>> parse("name: churn\\ntaget: left")
    Traceback (most recent call last):
    modelcycle.faults.BadPipeline: target is required (and 1 more)
    the pipeline file, line 1
    `modelcycle schema` lists every key
    """
    return read_document(text, Pipeline, where, PIPELINE_FILE)[0]
