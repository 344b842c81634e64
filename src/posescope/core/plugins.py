"""Plug-in components: found by name through Python entry points, options checked before anything runs.

A component is any callable with an attribute `Options` (a class of frozen pydantic options) that is called as
`component(options, **context)`; what the context holds and what comes back is the contract of its group (`GROUPS`).

    parameters   {name: hourglass, options: {stacks: 2}}          <- ComponentSpec
    pyproject    [project.entry-points."posescope.models"]
                 hourglass = "posescope.models.hourglass:Hourglass"

A dotted path (`my_package.nets:MyNet`) works in the place of a name, without an entry point. It imports a module, so it works
only where the caller names it: in parameters, in Python, on the command line. A file (a model folder, the records of a
data_dir) gives a `StoredComponent`, which nothing builds; `trust_component` makes a `ComponentSpec` of it if the name is
installed, or if the caller allows the same dotted path.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from posescope.core.errors import OptionsError

__all__ = [
    "GROUPS", "ComponentNotAllowedError", "ComponentSpec", "InstalledComponent", "Options", "StoredComponent", "restrict_dotted_paths", "build",
    "check_options", "component_field", "describe_validation_error", "installed", "is_dotted_path", "load_component", "component_name_field",
    "trust_component",
]  # fmt: skip

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


# Names of Python alone: a name that a file gives is printed as a part of a command to type.
_DOTTED_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
# Dotted paths that may be loaded; None: all, for the caller names them.
_ALLOWED: ContextVar[frozenset[str] | None] = ContextVar("allowed_components", default=None)


class ComponentNotAllowedError(OptionsError):
    """A file names a component by a dotted path that the caller has not allowed."""


class _WrongOptionsError(OptionsError):
    """Wrong options of one component, fault by fault."""

    def __init__(self, group: str, name: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"posescope.{group}: options of '{name}': {'; '.join(faults)}")
        self.faults = tuple(f"options of '{name}': {fault}" for fault in faults)
        self._made_of = (group, name, faults)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the arguments: a worker process hands its error to the one that waits for it."""
        return type(self), self._made_of


class Options(BaseModel):
    """Base of every options model: frozen, unknown fields are errors, infinite numbers too."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredComponent(Options):
    """A component as a file names it: `{name: ..., options: {...}}`. It is data: `build` does not take it."""

    name: str = Field(description="Name of an installed component, or a dotted path package.module:attribute")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of that component")


class ComponentSpec(StoredComponent):
    """A component as the caller names it, in parameters or in Python. Of what a file says, only `trust_component` makes one."""


@dataclass(frozen=True)
class InstalledComponent:
    """One installed component, as `posescope plugins` lists it."""

    group: str
    name: str
    target: str
    package: str
    version: str


def installed(group: str) -> tuple[InstalledComponent, ...]:
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


def is_dotted_path(name: str) -> bool:
    """Return whether a name has the form of a dotted path, `package.module:attribute`."""
    return _DOTTED_PATH.fullmatch(name) is not None


@contextmanager
def restrict_dotted_paths(allow: Collection[str]) -> Iterator[None]:
    """Let components be loaded in this block only if they are installed, or if `allow` names their dotted path.

    For the reading of files: it covers what a component names in its own options, at any depth.
    """
    before = _ALLOWED.set(frozenset([allow] if isinstance(allow, str) else allow))
    try:
        yield
    finally:
        _ALLOWED.reset(before)


def trust_component(group: str, stored: StoredComponent, allow: Collection[str] = ()) -> ComponentSpec:
    """Return the component that a file names, to be built, if it may be loaded.

    Args:
        group: whose component it is.
        stored: as the file has it; a `ComponentSpec` is returned as it is, for the caller has named it.
        allow: dotted paths that the caller allows.

    Raises:
        ComponentNotAllowedError: if it, or a component in its options, is a dotted path that `allow` lacks.
        OptionsError: if it is not installed, or its options are wrong.
    """
    if isinstance(stored, ComponentSpec):
        return stored
    spec = ComponentSpec(name=stored.name, options=stored.options)
    with restrict_dotted_paths(allow):
        check_options(group, spec)
    return spec


def load_component(group: str, name: str) -> Any:
    """The component called `name` (or standing at the dotted path `name`) of a group.

    Raises:
        ComponentNotAllowedError: if it is a dotted path, and `restrict_dotted_paths` does not name it.
        OptionsError: if nothing of that name is installed (the message lists what is), or it cannot be imported.
    """
    names = {row.name: row.target for row in installed(group)}
    target = names.get(name, name)
    allowed = _ALLOWED.get()
    if name not in names and is_dotted_path(name) and allowed is not None and name not in allowed:
        raise ComponentNotAllowedError(
            f"posescope.{group}: a file names the component {name!r} by a dotted path, and loading it would run code. It was not "
            f"loaded. If you trust it, name it yourself: allow=[{name!r}] in Python, --allow-component {name} on the command "
            "line, or as a component of this run's parameters (modelling.model.name)."
        )
    if name not in names and not is_dotted_path(name):
        raise OptionsError(
            f"No component {name!r} in posescope.{group}. Installed: {', '.join(names) or 'none'}. "
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
        TypeError: if it is a `StoredComponent`: whether it may be loaded has not been decided.
        OptionsError: if the component is unknown, or an option is unknown or out of bounds; names the option.
    """
    if not isinstance(spec, ComponentSpec):
        raise TypeError(f"posescope.{group}: {spec!r} comes from a file; pass it through trust_component first.")
    component = load_component(group, spec.name)
    model = getattr(component, "Options", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise OptionsError(f"posescope.{group}: '{spec.name}' has no attribute Options (a pydantic model).")
    try:
        return model.model_validate(spec.options)
    except ValidationError as error:
        raise _WrongOptionsError(group, spec.name, describe_validation_error(error)) from error


def build(group: str, spec: ComponentSpec, **context: Any) -> Any:
    """Check the options of a component and make it: `component(options, **context)`."""
    options = check_options(group, spec)
    return load_component(group, spec.name)(options, **context)


def component_field(group: str) -> Any:
    """A field type for options models: a ComponentSpec whose component and options are checked on validation."""

    def check(spec: ComponentSpec) -> ComponentSpec:
        _check_as_value_error(group, spec)
        return spec

    return Annotated[ComponentSpec, AfterValidator(check)]


def component_name_field(group: str) -> Any:
    """A field type for options models: the bare name of a component, used with its default options."""

    def check(name: str) -> str:
        _check_as_value_error(group, ComponentSpec(name=name))
        return name

    return Annotated[str, AfterValidator(check)]


def describe_validation_error(error: ValidationError) -> tuple[str, ...]:
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


def _describe(group: str, entry: EntryPoint) -> InstalledComponent:
    package = entry.dist.name if entry.dist else "unknown"
    version = entry.dist.version if entry.dist else "unknown"
    return InstalledComponent(group=group, name=entry.name, target=entry.value, package=package, version=version)
