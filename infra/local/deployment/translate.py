"""Translates the SAM template to what CloudFormation of the local cloud accepts.

AWS's own library (aws-sam-translator) does the translation. In addition, local folders become objects in a bucket,
state machines in YAML become JSON in the template, functions are started by a `bootstrap`, nested templates are
translated likewise, and resources that the emulator refuses are left out and named.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from infra.local.clients import REGION
from infra.local.deployment.checked_alias import CheckedAlias, take_checked_aliases
from infra.local.deployment.code_hash import hash_of
from infra.local.deployment.function_archive import function_archive, layer_archive, python_path
from infra.local.deployment.layers import BASE_PYTHON, Layer, install_layer, install_runtime
from infra.local.deployment.left_out import LeftOut, leave_out
from infra.local.deployment.package_size import check_package_size
from infra.local.deployment.preloaded import load_time_variables, preloaded_modules
from infra.local.faults import TemplateInvalid
from infra.local.fork_plans import ForkPlan

Template = dict[str, Any]
NUMBERS = {"MaxConcurrency"}  # of a state, that may be a parameter of the template


@dataclass
class Translation:
    """A stack that is ready to be deployed.

    Parameters
    ----------
    template : for CloudFormation
    parameters : values by name
    objects : uploads by key, which is a content hash
    left_out : what the local cloud does not have
    nested : the nested stacks by logical id
    fork_plans : the fork servers of all functions, those of nested stacks included
    checked_aliases : of functions whose new code is checked before it gets traffic
    """

    template: Template
    parameters: dict[str, str]
    objects: dict[str, bytes] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    nested: dict[str, Translation] = field(default_factory=dict)
    fork_plans: list[ForkPlan] = field(default_factory=list)
    checked_aliases: list[CheckedAlias] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The key of the template's object."""
        return f"templates/{hashlib.sha256(self.body).hexdigest()[:32]}.json"

    @property
    def body(self) -> bytes:
        """The template as JSON."""
        return json.dumps(self.template, sort_keys=True).encode()


@dataclass(frozen=True)
class Destination:
    """Where a translation goes.

    Parameters
    ----------
    home : folder of the cloud's state, with the installed layers
    bucket : for uploads
    endpoint : of the local cloud
    """

    home: Path
    bucket: str
    endpoint: str


def read_template(path: Path) -> Template:
    """Read a template; short forms such as `!Ref` become dictionaries.

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


def translate(path: Path, parameters: dict[str, str], destination: Destination) -> Translation:
    """Translate a SAM template and the templates that it nests.

    Parameters
    ----------
    path : the template; paths in it are relative to its folder
    parameters : values by name; unknown names are ignored, and the template's defaults complete them

    Raises
    ------
    TemplateInvalid, LayerNotInstalled
    """
    template = read_template(path)
    declared: dict[str, Any] = template.get("Parameters") or {}
    values = {name: str(parameter["Default"]) for name, parameter in declared.items() if "Default" in parameter}
    values |= {name: value for name, value in parameters.items() if name in declared}
    translation = Translation(template, values)
    translator = _TemplateTranslator(path, destination, translation)
    translator.upload_layers()
    translator.replace_code_folders()
    translator.inline_state_machines()
    if template.get("Transform"):
        translation.template = _translate_by_sam(template, values, path)
    translation.checked_aliases = take_checked_aliases(translation.template)
    translation.left_out += leave_out(translation.template, path)
    translator.upload_functions()
    translator.translate_nested()
    return translation


class _TemplateTranslator:
    """The passes over one template: the first three before SAM's translation, the others after it."""

    def __init__(self, path: Path, destination: Destination, translation: Translation) -> None:
        self.path = path
        self.destination = destination
        self.translation = translation
        self.layers: dict[str, Layer] = {}  # by the key of their upload
        self.code: dict[str, Path] = {}  # the folders of functions by the key that stands for their upload

    def upload_layers(self) -> None:
        """Install each layer and upload the names of its folders."""
        for logical_id, properties in self._resources_of("AWS::Serverless::LayerVersion"):
            layer = install_layer(self._folder(properties.get("ContentUri"), logical_id), self.destination.home)
            key = self._upload("layers", layer_archive(layer))
            self.layers[key] = layer
            properties["ContentUri"] = {"Bucket": self.destination.bucket, "Key": key}

    def replace_code_folders(self) -> None:
        """Give each function a provisional key: its archive needs the layers that SAM assigns."""
        defaults = (self.translation.template.get("Globals") or {}).get("Function") or {}
        for logical_id, properties in self._resources_of("AWS::Serverless::Function"):
            if "InlineCode" in properties:
                continue
            folder = self._folder(properties.get("CodeUri", defaults.get("CodeUri")), logical_id)
            key = f"pending/{logical_id}/{hash_of([folder])}"
            self.code[key] = folder
            properties["CodeUri"] = {"Bucket": self.destination.bucket, "Key": key}

    def inline_state_machines(self) -> None:
        """Put state machines into the template: the emulator accepts YAML in S3, and then fails each execution."""
        for logical_id, properties in self._resources_of("AWS::Serverless::StateMachine"):
            uri = properties.pop("DefinitionUri", None)
            if isinstance(uri, str):
                definition = self._read_state_machine(uri, logical_id)
                properties["Definition"] = self._with_numbers(definition, properties.get("DefinitionSubstitutions", {}))

    def upload_functions(self) -> None:
        """Upload each function with a bootstrap, and replace its runtime.

        A `python3.x` function that raises an error reports `Runtime.HandlerError` here. A custom runtime reports the
        class of the error, which the retries of the state machines name.
        """
        resources = self.translation.template["Resources"]
        runtime = install_runtime(self.destination.home) if self.code else Path()
        functions: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[dict[str, Any], Path]]] = {}
        for logical_id, resource in resources.items():
            if resource["Type"] != "AWS::Lambda::Function":
                continue
            properties = resource["Properties"]
            folder = self.code.get(properties.get("Code", {}).get("S3Key", ""))
            if folder is None:
                continue
            layers = [
                self.layers[resources[reference["Ref"]]["Properties"]["Content"]["S3Key"]]
                for reference in properties.get("Layers", [])
            ]
            folders = [installed for layer in layers for installed in layer.folders]
            check_package_size(logical_id, folder, folders, self.path)
            server = (python_path(layers, runtime), load_time_variables(properties))
            functions.setdefault(server, []).append((properties, folder))
        scratch = str(self.destination.home / "scratch")
        # servers start in this order
        for (path, variables), members in sorted(functions.items(), key=lambda item: -len(item[1])):
            modules = preloaded_modules(folder for _, folder in members)
            plan = ForkPlan(BASE_PYTHON, path, scratch, modules, variables)
            self.translation.fork_plans.append(plan)
            for properties, folder in members:
                archive = function_archive(folder, plan)
                properties["Code"] = {"S3Bucket": self.destination.bucket, "S3Key": self._upload("functions", archive)}
                properties["Runtime"] = "provided.al2023"

    def translate_nested(self) -> None:
        """Translate and upload the local templates of nested stacks."""
        for logical_id, resource in self.translation.template["Resources"].items():
            properties = resource.get("Properties") or {}
            url = properties.get("TemplateURL")
            if resource["Type"] != "AWS::CloudFormation::Stack" or not isinstance(url, str) or "://" in url:
                continue
            parameters = {
                name: self._known_value(value) for name, value in (properties.get("Parameters") or {}).items()
            }
            nested = translate(
                self.path.parent / url,
                {name: value for name, value in parameters.items() if value is not None},
                self.destination,
            )
            self.translation.nested[logical_id] = nested
            self.translation.fork_plans += nested.fork_plans
            self.translation.objects |= {**nested.objects, nested.key: nested.body}
            self.translation.left_out += [replace(item, what=f"{logical_id}/{item.what}") for item in nested.left_out]
            properties["TemplateURL"] = f"{self.destination.endpoint}/{self.destination.bucket}/{nested.key}"

    def _resources_of(self, resource_type: str) -> list[tuple[str, dict[str, Any]]]:
        """Return logical id and properties of the resources of a type."""
        resources = self.translation.template["Resources"]
        return [
            (logical_id, resource.setdefault("Properties", {}))
            for logical_id, resource in resources.items()
            if isinstance(resource, dict) and resource.get("Type") == resource_type
        ]

    def _folder(self, uri: object, logical_id: str) -> Path:
        if isinstance(uri, str) and (self.path.parent / uri).is_dir():
            return self.path.parent / uri
        raise _invalid(f"{logical_id} names the folder {uri!r}, which does not exist.", self.path)

    def _read_state_machine(self, uri: str, logical_id: str) -> dict[str, Any]:
        path = self.path.parent / uri
        try:
            definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise _invalid(f"{logical_id} names the state machine {uri!r}, which does not exist.", self.path) from None
        except yaml.YAMLError as error:
            raise _invalid(f"The state machine is not YAML: {' '.join(str(error).split())}", path) from None
        if not isinstance(definition, dict) or "States" not in definition:
            raise _invalid("The state machine has no States.", path)
        return definition

    def _with_numbers(self, part: Any, substitutions: dict[str, Any]) -> Any:
        """Return a state machine with numbers in place of parameters.

        CloudFormation substitutes them in the text of the file, without quotes; in JSON they would be strings.
        """
        if isinstance(part, list):
            return [self._with_numbers(item, substitutions) for item in part]
        if not isinstance(part, dict):
            return part
        filled = {key: self._with_numbers(value, substitutions) for key, value in part.items()}
        for key in NUMBERS & filled.keys():
            if isinstance(filled[key], str):
                filled[key] = int(self._known_value(substitutions[filled[key].strip("${}")]) or 0)
        return filled

    def _known_value(self, value: object) -> str | None:
        """Return a parameter of a nested stack, or None if only the deployment gives its value."""
        if isinstance(value, dict):
            return self.translation.parameters.get(value.get("Ref", ""))
        return str(value)

    def _upload(self, prefix: str, content: bytes) -> str:
        """Add an upload and return its key."""
        key = f"{prefix}/{hashlib.sha256(content).hexdigest()[:32]}.zip"
        self.translation.objects[key] = content
        return key


def _translate_by_sam(template: Template, parameters: dict[str, str], path: Path) -> Template:
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.transform import to_py27_compatible_template
    from samtranslator.translator.translator import Translator

    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns about features that only AWS switches on
    values: dict[str, Any] = {**parameters, "AWS::Region": REGION}
    try:
        to_py27_compatible_template(template, values)
        translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
        translated: Template = translator.translate(template, parameter_values=values)
        translator.metrics.publish()  # goes nowhere; without it the library warns about unpublished metrics
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise _invalid(f"SAM does not accept the template: {causes}", path) from None
    return translated


def _invalid(detail: str, path: Path) -> TemplateInvalid:
    return TemplateInvalid(detail, where=str(path), remedy="Fix the file, then run the command again.")
