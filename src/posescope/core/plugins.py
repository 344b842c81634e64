"""Plug-in components: found by name through Python entry points, with options that are checked before anything runs.

A component is any callable with an attribute `Options` (a class of frozen pydantic options). It is called as
`component(options, **context)`; the context and the returned object are defined by the contract of its group (`GROUPS`).
`Component` is a base class for those that only keep their options; a component need not use it. A network needs no `Options`: the
arguments of its signature other than the context are its options then.

    parameters   {name: hourglass, options: {stacks: 2}}          <- ComponentSpec
    pyproject    [project.entry-points."posescope.models"]
                 hourglass = "posescope.models.hourglass:Hourglass"

A dotted path (`my_package.nets:MyNet`) works in place of a name, without an entry point. Loading it imports a module, so it works
only if the caller names it: in parameters, in Python, on the command line. A file (a model folder, the records of a data_dir)
yields a `StoredComponent`, which cannot be built. `trust_component` turns it into a `ComponentSpec` if the name is installed, or
if the caller allows the same dotted path.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from posescope.core.errors import OptionsError
from posescope.core.extras import translate_missing
from posescope.core.option_faults import WrongOptionsError, describe_validation_error
from posescope.core.parameters import RENAMED_COMPONENTS, describe_unknown_option
from posescope.core.signature_options import accepted_arguments, make_options

__all__ = [
    "GROUPS", "Component", "ComponentNotAllowedError", "ComponentSpec", "Options", "StoredComponent", "build", "check_options",
    "component_validator", "describe_validation_error", "installed", "is_dotted_path", "is_restricted", "load_component",
    "options_model", "package_of", "restrict_dotted_paths", "trust_component",
]  # fmt: skip

GROUPS: Mapping[str, str] = {
    "filters": "(options)(persons, joints) -> per person the reason for rejection, '' if there is none",
    "crop_rules": "(options)(extents: Extents) -> PersonBoxes: SquareBoxes or RectangularBoxes",
    "codecs": "(options, crop_size, joint_count) -> Codec: encode joints to heatmaps, decode heatmaps to joints",
    "models": "(options, crop_size, joint_count) -> PoseNetwork, or any module whose output is heatmaps",
    "encoders": "(options) -> Encoder: images to feature maps at several strides, for the network encoder_decoder",
    "modules": "(**options) -> torch.nn.Module, whose layers the encoder `module` reads",
    "optimisers": "(options, parameters, learning_rate) -> torch.optim.Optimizer",
    "losses": "(options)(predicted, target, weight[, joints]) -> scalar tensor",
    "augmentations": "(options)(generator, plan: AugmentationPlan) -> AugmentationPlan",
    "metrics": "(options)(scored persons) -> metric values by name",
    "analyses": "(options)(analysis inputs) -> AnalysisResult",
    "reducers": "(options)(features) -> Components",
    "clusterers": "(options)(points, seed) -> Clustering",
    "exporters": "(options)(source, destination, data: ExportData, allow) -> ExportReport: write and verify an exported model",
    "backends": "(options)(description, device, threads, allow) -> Backend: crops to joints and scores",
    "detectors": "(options)(image, info, detections) -> persons with boxes, one image at a time",
    "trackers": "(options, skeleton) -> Tracker: track ids of the persons of a video, one frame after the other",
    "experiment_loggers": "(options, run: TrackedRun) -> ExperimentLogger: epochs, metrics and files in a tracker",
    "pipelines": "() -> kedro Pipeline: a whole pipeline under its own name",
}


# Groups whose components may lack `Options`, with the arguments that are no options.
_CONTEXT: Mapping[str, tuple[str, ...]] = {"models": ("crop_size", "joint_count"), "modules": ()}
# Group -> extra that installs the packages of all its components.
_EXTRAS: Mapping[str, str] = {"pipelines": "pipelines"}
# Python identifiers only: a name from a file becomes a part of a command line in a message.
_DOTTED_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
# Dotted paths that may be loaded; None: all of them, since the caller names them.
_ALLOWED: ContextVar[frozenset[str] | None] = ContextVar("allowed_components", default=None)


class ComponentNotAllowedError(OptionsError):
    """A file names a component by a dotted path that the caller has not allowed."""


class Options(BaseModel):
    """Base of every options model: frozen; unknown fields and infinite numbers are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


OptionsT = TypeVar("OptionsT", bound=Options)


class _SignatureOptions(Options):
    model_config = ConfigDict(arbitrary_types_allowed=True)


class StoredComponent(Options):
    """A component as named by a file: `{name: ..., options: {...}}`. It is data; `build` refuses it."""

    name: str = Field(description="Name of an installed component, or a dotted path package.module:attribute")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of that component")


class ComponentSpec(StoredComponent):
    """A component as named by the caller, in parameters or in Python. `trust_component` converts a `StoredComponent`."""


class Component(Generic[OptionsT]):
    """Base of components that are called after they were built: `class Flip(Component[FlipOptions])`.

    Attributes:
        Options: The options model, the type argument of the base class.
        options: The validated options.
    """

    Options: ClassVar[type[BaseModel]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in vars(cls).get("__orig_bases__", ()):
            if get_origin(base) is Component:
                (cls.Options,) = get_args(base)

    def __init__(self, options: OptionsT) -> None:
        self.options = options


def installed(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of all components of a group, ordered by name.

    Raises:
        OptionsError: if two packages register the same name.
    """
    found = sorted(_entries(group), key=lambda entry: entry.name)
    for first, second in pairwise(found):
        if first.name == second.name and first.value != second.value:
            raise OptionsError(
                f"Two installed packages register '{first.name}' in posescope.{group}: {package_of(first)} ({first.value}) and "
                f"{package_of(second)} ({second.value}). Remove or rename one."
            )
    return tuple(found)


def package_of(entry: EntryPoint) -> str:
    """Return the name and version of the package that registers a component."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def is_dotted_path(name: str) -> bool:
    """Return whether a name has the form of a dotted path, `package.module:attribute`.

    Example:
        >>> is_dotted_path("my_poses.huber:Huber"), is_dotted_path("mse")
        (True, False)
    """
    return _DOTTED_PATH.fullmatch(name) is not None


@contextmanager
def restrict_dotted_paths(allow: Collection[str]) -> Iterator[None]:
    """Load only installed components and the dotted paths in `allow` within this block.

    Used when files are read. The restriction covers components in the options of a component, at any depth.
    """
    before = _ALLOWED.set(frozenset([allow] if isinstance(allow, str) else allow))
    try:
        yield
    finally:
        _ALLOWED.reset(before)


def is_restricted() -> bool:
    """Return whether components of a file are loaded, within `restrict_dotted_paths`.

    A component that its options can make read other files or the network must not do so then.
    """
    return _ALLOWED.get() is not None


def trust_component(group: str, stored: StoredComponent, allow: Collection[str] = ()) -> ComponentSpec:
    """Convert the component of a file to one that can be built, if it may be loaded.

    Args:
        group: Group of the component.
        stored: The component as read from the file. A `ComponentSpec` is returned unchanged.
        allow: Dotted paths that the caller allows.

    Raises:
        ComponentNotAllowedError: if it, or a component in its options, is a dotted path that is not in `allow`.
        OptionsError: if it is not installed, or its options are wrong.
    """
    if isinstance(stored, ComponentSpec):
        return stored
    spec = ComponentSpec(name=stored.name, options=stored.options)
    with restrict_dotted_paths(allow):
        check_options(group, spec)
    return spec


def load_component(group: str, name: str) -> Any:
    """Import a component of a group.

    Args:
        group: A key of `GROUPS`.
        name: Name of an installed component, or a dotted path.

    Raises:
        ComponentNotAllowedError: if it is a dotted path that `restrict_dotted_paths` excludes.
        OptionsError: if no component of that name is installed (the message lists the installed ones), or the import fails.
        MissingPackageError: if it needs a package of an extra that is not installed.
    """
    names = {entry.name: entry.value for entry in installed(group)}
    target = names.get(name, name)
    allowed = _ALLOWED.get()
    if name not in names and is_dotted_path(name) and allowed is not None and name not in allowed:
        raise ComponentNotAllowedError(
            f"posescope.{group}: a file names the component {name!r} by a dotted path. It was not loaded, since loading it would "
            f"run its code. If you trust it, allow it: allow=[{name!r}] in Python, --allow-component {name} on the command line, "
            "or the same name in the parameters of this run (modelling.model.name)."
        )
    if name not in names and not is_dotted_path(name):
        new = RENAMED_COMPONENTS.get((group, name))
        raise OptionsError(
            f"No component {name!r} in posescope.{group}{f': renamed to {new}' if new else ''}. Installed: "
            f"{', '.join(names) or 'none'}. A dotted path (package.module:attribute) works too."
        )
    module_name, _, attribute = target.partition(":")
    try:
        with translate_missing(f"posescope.{group}: '{name}'", _EXTRAS.get(group, "")):
            return getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise OptionsError(f"posescope.{group}: '{name}' points to {target}, which cannot be loaded: {error}.") from error


def options_model(group: str, component: Any) -> type[BaseModel] | None:
    """Return the options model of a component: its attribute `Options`, or, of a network without one, that of its signature."""
    model = getattr(component, "Options", None)
    if model is None and group in _CONTEXT:
        return make_options(component, _SignatureOptions, _CONTEXT[group])
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def check_options(group: str, spec: ComponentSpec) -> Any:
    """Return the validated options of a component, an instance of its `Options`.

    Args:
        group: A key of `GROUPS`.
        spec: Name and options.

    Raises:
        TypeError: if it is a `StoredComponent`, which `trust_component` has to convert first.
        OptionsError: if the component is unknown, or an option is unknown, renamed or out of bounds.
    """
    if not isinstance(spec, ComponentSpec):
        raise TypeError(f"posescope.{group}: {spec!r} comes from a file; pass it through trust_component first.")
    model = options_model(group, load_component(group, spec.name))
    if model is None:
        raise OptionsError(f"posescope.{group}: '{spec.name}' has no attribute Options (a pydantic model).")
    try:
        return model.model_validate(spec.options)
    except ValidationError as error:
        faults = describe_validation_error(error, lambda option: describe_unknown_option(group, spec.name, option))
        raise WrongOptionsError(group, spec.name, faults) from error


def build(group: str, spec: ComponentSpec, **context: Any) -> Any:
    """Validate the options of a component and build it: `component(options, **context)`.

    A component without `Options` is called with its options, and those arguments of the context that it names, as keywords.

    Args:
        group: A key of `GROUPS`.
        spec: Name and options.
        **context: Arguments that the contract of the group defines.

    Raises:
        OptionsError: as `check_options`.

    Example:
        >>> build("filters", ComponentSpec(name="box_size", options={"min_side_px": 32})).options.min_side_px
        32.0
    """
    options, component = check_options(group, spec), load_component(group, spec.name)
    if isinstance(options, _SignatureOptions):
        own = {name: getattr(options, name) for name in type(options).model_fields}
        return component(**own, **accepted_arguments(component, context))
    return component(options, **context)


def component_validator(group: str) -> AfterValidator:
    """Return a validator for the fields of options models that name a component: it checks the component and its options."""

    def check(spec: ComponentSpec) -> ComponentSpec:
        try:
            check_options(group, spec)
        except OptionsError as error:
            # Pydantic collects ValueErrors into its own report; other exceptions would pass through it.
            raise ValueError(str(error)) from error
        return spec

    return AfterValidator(check)


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"posescope.{group}"))
