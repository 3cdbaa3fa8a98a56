"""From the SAM template to what CloudFormation of the local cloud takes.

The translation itself is AWS's own library (aws-sam-translator). Around it: local folders become objects in a bucket,
state machines in YAML become JSON in the template, Python functions run by a `bootstrap`, nested templates are
translated likewise, and the short list of resources that the emulator refuses is left out and named.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from infra.local.faults import TemplateInvalid
from infra.local.left_out import LeftOut, leave_out
from infra.local.package import Layer, function_archive, hash_of, install_layer, install_runtime

Template = dict[str, Any]


@dataclass
class Translation:
    """A stack ready to be deployed.

    `objects` are the uploads by key, content-addressed; `nested` the templates of nested stacks by logical id.
    """

    template: Template
    parameters: dict[str, str]
    objects: dict[str, bytes] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    nested: dict[str, Translation] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"templates/{hashlib.sha256(self.body).hexdigest()[:32]}.json"

    @property
    def body(self) -> bytes:
        return json.dumps(self.template, sort_keys=True).encode()


@dataclass(frozen=True)
class Site:
    """Where the uploads go, and where layers and scratch files live."""

    home: Path
    bucket: str
    endpoint: str
    region: str = "us-east-1"


def read_template(path: Path) -> Template:
    """Read a template with its short-hand intrinsics (`!Ref`, `!Sub` ...).

    Raises
    ------
    TemplateInvalid
    """
    from samtranslator.yaml_helper import yaml_parse

    try:
        template = yaml_parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _invalid("There is no template.", path) from None
    except yaml.YAMLError as error:
        raise _invalid(f"The file is not YAML: {' '.join(str(error).split())}", path) from None
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise _invalid("The template has no Resources.", path)
    return template


def translate(path: Path, parameters: dict[str, str], site: Site) -> Translation:
    """Translate a SAM template and all that it nests.

    Parameters
    ----------
    path: the template; the paths in it are relative to it.
    parameters: values by name; the template's defaults fill the rest.

    Raises
    ------
    TemplateInvalid, LayerNotInstalled
    """
    template = read_template(path)
    declared: dict[str, Any] = template.get("Parameters") or {}
    values = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
    values |= {name: value for name, value in parameters.items() if name in declared}
    result = Translation(template, values)
    work = _Work(path, site, result)
    work.take_layers()
    work.take_functions()
    work.take_state_machines()
    if template.get("Transform"):
        result.template = _by_sam(template, values, path, site.region)
    result.left_out += leave_out(result.template, path)
    work.take_code()
    work.take_nested()
    return result


class _Work:
    """The passes over one template. Paths in it are relative to its file, as for SAM."""

    def __init__(self, path: Path, site: Site, result: Translation) -> None:
        self.path = path
        self.site = site
        self.result = result
        self.layers: dict[str, Layer] = {}  # by the key of the upload
        self.code: dict[str, Path] = {}  # by the key that stands in for the upload

    def take_layers(self) -> None:
        for logical_id, properties in self._of_type("AWS::Serverless::LayerVersion"):
            layer = install_layer(self._folder(properties.get("ContentUri"), logical_id), self.site.home)
            key = self._upload("layers", layer.archive())
            self.layers[key] = layer
            properties["ContentUri"] = {"Bucket": self.site.bucket, "Key": key}

    def take_functions(self) -> None:
        shared = (self.result.template.get("Globals") or {}).get("Function") or {}
        for logical_id, properties in self._of_type("AWS::Serverless::Function"):
            if "InlineCode" in properties:
                continue
            folder = self._folder(properties.get("CodeUri", shared.get("CodeUri")), logical_id)
            key = f"pending/{logical_id}/{hash_of([folder])}"
            self.code[key] = folder
            properties["CodeUri"] = {"Bucket": self.site.bucket, "Key": key}

    def take_state_machines(self) -> None:
        for logical_id, properties in self._of_type("AWS::Serverless::StateMachine"):
            uri = properties.pop("DefinitionUri", None)
            if isinstance(uri, str):
                # The emulator takes YAML, and fails every execution of it.
                properties["Definition"] = self._flow(uri, logical_id)

    def take_code(self) -> None:
        """Zip each function with a bootstrap that knows its layers, and swap its runtime.

        A `python3.x` function that raises would report `Runtime.HandlerError`; a custom runtime reports the real class,
        which is what the retries of a state machine name.
        """
        resources = self.result.template["Resources"]
        runtime = install_runtime(self.site.home) if self.code else Path()
        for resource in resources.values():
            if resource["Type"] != "AWS::Lambda::Function":
                continue
            properties = resource["Properties"]
            folder = self.code.get(properties.get("Code", {}).get("S3Key", ""))
            if folder is None:
                continue
            layers = [
                self.layers[resources[one["Ref"]]["Properties"]["Content"]["S3Key"]]
                for one in properties.get("Layers", [])
            ]
            archive = function_archive(folder, layers, runtime, self.site.home / "scratch")
            properties["Code"] = {"S3Bucket": self.site.bucket, "S3Key": self._upload("functions", archive)}
            properties["Runtime"] = "provided.al2023"

    def take_nested(self) -> None:
        for logical_id, resource in self.result.template["Resources"].items():
            properties = resource.get("Properties") or {}
            url = properties.get("TemplateURL")
            if resource["Type"] != "AWS::CloudFormation::Stack" or not isinstance(url, str) or "://" in url:
                continue
            given = {name: self._literal(value) for name, value in (properties.get("Parameters") or {}).items()}
            child = translate(
                self.path.parent / url, {name: value for name, value in given.items() if value is not None}, self.site
            )
            self.result.nested[logical_id] = child
            self.result.objects |= {**child.objects, child.key: child.body}
            self.result.left_out += [LeftOut(f"{logical_id}/{one.what}", one.why) for one in child.left_out]
            properties["TemplateURL"] = f"{self.site.endpoint}/{self.site.bucket}/{child.key}"

    def _of_type(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        resources = self.result.template["Resources"]
        return [
            (logical_id, resource.setdefault("Properties", {}))
            for logical_id, resource in resources.items()
            if isinstance(resource, dict) and resource.get("Type") == kind
        ]

    def _folder(self, uri: object, logical_id: str) -> Path:
        if isinstance(uri, str) and (self.path.parent / uri).is_dir():
            return self.path.parent / uri
        raise _invalid(f"{logical_id} names the folder {uri!r}, which is not there.", self.path)

    def _flow(self, uri: str, logical_id: str) -> dict[str, Any]:
        try:
            flow = yaml.safe_load((self.path.parent / uri).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise _invalid(f"{logical_id} names the state machine {uri!r}, which is not there.", self.path) from None
        except yaml.YAMLError as error:
            detail = f"The state machine is not YAML: {' '.join(str(error).split())}"
            raise _invalid(detail, self.path.parent / uri) from None
        if not isinstance(flow, dict) or "States" not in flow:
            raise _invalid("The state machine has no States.", self.path.parent / uri)
        return flow

    def _literal(self, value: object) -> str | None:
        """A parameter of a nested stack as far as it is known before the deploy."""
        if isinstance(value, dict):
            return self.result.parameters.get(value.get("Ref", ""))
        return str(value)

    def _upload(self, shelf: str, content: bytes) -> str:
        key = f"{shelf}/{hashlib.sha256(content).hexdigest()[:32]}.zip"
        self.result.objects[key] = content
        return key


def _by_sam(template: Template, parameters: dict[str, str], path: Path, region: str) -> Template:
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.transform import to_py27_compatible_template
    from samtranslator.translator.translator import Translator

    values: dict[str, Any] = {**parameters, "AWS::Region": region}
    try:
        to_py27_compatible_template(template, values)
        translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=region))
        translated: Template = translator.translate(template, parameter_values=values)
        translator.metrics.publish()  # to nobody; unpublished ones are complained about on standard error
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise _invalid(f"SAM does not take the template: {causes}", path) from None
    return translated


def _invalid(detail: str, path: Path) -> TemplateInvalid:
    return TemplateInvalid(detail, where=str(path), remedy="Mend the file, then run the command again.")
