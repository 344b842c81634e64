"""Plug-in components: found by name through Python entry points, options checked before anything runs.

A component is any callable with an attribute `Options` (a class of frozen pydantic options) that is called as
`component(options, **context)`; what the context holds and what comes back is the contract of its group (`GROUPS`).

    parameters   {name: hourglass, options: {stacks: 2}}          <- ComponentSpec
    pyproject    [project.entry-points."posescope.models"]
                 hourglass = "posescope.models.hourglass:Hourglass"

A dotted path (`my_package.nets:MyNet`) works in the place of a name, without an entry point.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from posescope.errors import OptionsError

__all__ = [
    "GROUPS",
    "ComponentSpec",
    "Installed",
    "Options",
    "build",
    "check_options",
    "component_of",
    "describe_invalid",
    "installed",
    "load_component",
    "named_component_of",
]

GROUPS: Mapping[str, str] = {
    "filters": "(options)(persons, joints) -> a reason to go, or '', a person",
    "crop_rules": "(options)(extents: Extents) -> SquareBoxes",
    "codecs": "(options, crop_size, joint_count) -> Codec: encode joints to heatmaps, decode heatmaps to joints",
    "models": "(options, crop_size, joint_count) -> PoseNetwork",
    "optimisers": "(options, parameters, learning_rate) -> torch.optim.Optimizer",
    "losses": "(options)(predicted, target, weight) -> scalar tensor",
    "augmentations": "(options)(generator, plan: AugmentationPlan) -> AugmentationPlan",
    "metrics": "(options)(scored persons) -> figures by name",
    "analyses": "(options)(analysis inputs) -> AnalysisResult",
    "reducers": "(options)(features) -> Components",
    "clusterers": "(options)(points, seed) -> Clustering",
    "detectors": "(options)(image, info, detections) -> people with boxes, an image at a time",
    "pipelines": "() -> kedro Pipeline: a whole pipeline under its own name",
}


class _WrongOptionsError(OptionsError):
    """Wrong options of one component, fault by fault."""

    def __init__(self, group: str, name: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"posescope.{group}: options of '{name}': {'; '.join(faults)}")
        self.faults = tuple(f"options of '{name}': {fault}" for fault in faults)


class Options(BaseModel):
    """Base of every options model: frozen, unknown fields are errors, infinite numbers too."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ComponentSpec(Options):
    """How parameters name a component: `{name: ..., options: {...}}`."""

    name: str = Field(description="Name of an installed component, or a dotted path package.module:attribute")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of that component")


@dataclass(frozen=True)
class Installed:
    """One installed component, as `posescope plugins` lists it."""

    group: str
    name: str
    target: str
    package: str
    version: str


def installed(group: str) -> tuple[Installed, ...]:
    """All components of a group, ordered by name.

    Raises:
        OptionsError: if two packages register the same name: neither can win silently.
    """
    rows = sorted((_describe(group, entry) for entry in _entries(group)), key=lambda row: row.name)
    for first, second in pairwise(rows):
        if first.name == second.name and first.target != second.target:
            raise OptionsError(
                f"Two installed packages register '{first.name}' in posescope.{group}: "
                f"{first.package} ({first.target}) and {second.package} ({second.target}). Remove or rename one."
            )
    return tuple(rows)


def load_component(group: str, name: str) -> Any:
    """The component called `name` (or standing at the dotted path `name`) of a group.

    Raises:
        OptionsError: if nothing of that name is installed (the message lists what is), or it cannot be imported.
    """
    names = {row.name: row.target for row in installed(group)}
    target = names.get(name, name)
    if ":" not in target:
        raise OptionsError(
            f"No component '{name}' in posescope.{group}. Installed: {', '.join(names) or 'none'}. "
            "A dotted path (package.module:attribute) works too."
        )
    module_name, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise OptionsError(f"posescope.{group}: '{name}' points to {target}, which cannot be loaded: {error}.") from error


def check_options(group: str, spec: ComponentSpec) -> Any:
    """The checked options (an instance of the component's own `Options`) of a component.

    Raises:
        OptionsError: if the component is unknown, or an option is unknown or out of bounds; names the option.
    """
    component = load_component(group, spec.name)
    model = getattr(component, "Options", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise OptionsError(f"posescope.{group}: '{spec.name}' has no attribute Options (a pydantic model).")
    try:
        return model.model_validate(spec.options)
    except ValidationError as error:
        raise _WrongOptionsError(group, spec.name, describe_invalid(error)) from error


def build(group: str, spec: ComponentSpec, **context: Any) -> Any:
    """Check the options of a component and make it: `component(options, **context)`."""
    options = check_options(group, spec)
    return load_component(group, spec.name)(options, **context)


def component_of(group: str) -> Any:
    """A field type for options models: a ComponentSpec whose component and options are checked on validation."""

    def check(spec: ComponentSpec) -> ComponentSpec:
        _check_as_value_error(group, spec)
        return spec

    return Annotated[ComponentSpec, AfterValidator(check)]


def named_component_of(group: str) -> Any:
    """A field type for options models: the bare name of a component, used with its default options."""

    def check(name: str) -> str:
        _check_as_value_error(group, ComponentSpec(name=name))
        return name

    return Annotated[str, AfterValidator(check)]


def describe_invalid(error: ValidationError) -> tuple[str, ...]:
    """A pydantic error, one line a fault: the field's path, what was wrong, what was found.

    Every wrong option of a component is a fault of its own, under the path of that component.
    """
    return tuple(fault for item in error.errors(include_url=False) for fault in _faults_of(item))


def _faults_of(item: ErrorDetails) -> tuple[str, ...]:
    path = ".".join(str(step) for step in item["loc"]) or "(whole)"
    if item["type"] == "extra_forbidden":
        return (f"{path}: unknown name",)
    behind = getattr(item.get("ctx", {}).get("error"), "__cause__", None)
    if isinstance(behind, _WrongOptionsError):
        return tuple(f"{path}: {fault}" for fault in behind.faults)
    found = "" if isinstance(item["input"], dict | list | tuple) else f" (found {item['input']!r})"
    return (f"{path}: {str(item['msg']).removeprefix('Value error, ')}{found}",)


def _check_as_value_error(group: str, spec: ComponentSpec) -> None:
    # pydantic collects ValueErrors into its own report; ours would pass through it as a bare exception.
    try:
        check_options(group, spec)
    except OptionsError as error:
        raise ValueError(str(error)) from error


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"posescope.{group}"))


def _describe(group: str, entry: EntryPoint) -> Installed:
    package = entry.dist.name if entry.dist else "unknown"
    version = entry.dist.version if entry.dist else "unknown"
    return Installed(group=group, name=entry.name, target=entry.value, package=package, version=version)
