"""Tests of posescope.core.plugins: lookup of components, and validation of their options."""

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from posescope.codecs.gaussian import GaussianCodec
from posescope.core import plugins
from posescope.core.errors import OptionsError
from posescope.core.extras import MissingPackageError
from posescope.core.plugins import (
    GROUPS,
    Component,
    ComponentNotAllowedError,
    ComponentSpec,
    Options,
    StoredComponent,
    build,
    check_options,
    component_validator,
    describe_validation_error,
    installed,
    load_component,
    restrict_dotted_paths,
    trust_component,
)
from posescope.data.coco.person_filters import BoxSize, LabelledJoints

BOX_SIZE = "posescope.data.coco.person_filters:BoxSize"


@dataclass(frozen=True)
class Package:
    name: str
    version: str


def entry(name, target, package):
    point = EntryPoint(name=name, value=target, group="posescope.filters")
    vars(point)["dist"] = Package(package, "1.0")
    return point


@pytest.fixture
def register(monkeypatch):
    """Replace the installed entry points of all groups."""
    return lambda *points: monkeypatch.setattr(plugins, "_entries", lambda group: points)


def test_built_in_components_are_installed():
    rows = [row for row in installed("filters") if row.dist.name == "posescope"]  # other packages may be installed too
    assert [(row.name, row.value, row.dist.name) for row in rows] == [
        ("box_size", BOX_SIZE, "posescope"),
        ("labelled_joints", "posescope.data.coco.person_filters:LabelledJoints", "posescope"),
    ]


class Half(Component[Options]):
    pass


class Quarter(Half):
    pass


def test_component_has_the_options_of_its_type_argument_and_so_has_its_subclass():
    options = Options()
    assert (Half.Options, Quarter.Options) == (Options, Options)
    assert Quarter(options).options is options
    assert not hasattr(Component, "Options")


# Components that wrap something that the user has to name.
WITHOUT_DEFAULTS = {("encoders", name) for name in ("transformers", "timm", "module")}


@pytest.mark.parametrize("group", GROUPS)
def test_every_built_in_component_can_be_loaded_and_has_defaults(group):
    for row in installed(group):
        component = load_component(group, row.name)
        assert callable(component)
        if group != "pipelines" and (group, row.name) not in WITHOUT_DEFAULTS:
            assert isinstance(check_options(group, ComponentSpec(name=row.name)), Options)


def test_build_checks_the_options_and_passes_the_context():
    spec = ComponentSpec(name="gaussian", options={"stride": 8})
    codec = build("codecs", spec, crop_size=(64, 32), joint_count=3)
    assert isinstance(codec, GaussianCodec)
    assert codec.map_size == (8, 4)


def test_unknown_name_is_refused_with_the_installed_ones():
    with pytest.raises(
        OptionsError, match=r"No component 'tall' in posescope\.filters\. Installed: .*box_size, .*labelled_joints"
    ):
        load_component("filters", "tall")


def test_unknown_name_in_an_empty_group(register):
    register()
    with pytest.raises(OptionsError, match="Installed: none"):
        load_component("filters", "tall")


def test_dotted_path_works_without_an_entry_point(register):
    register()
    assert load_component("filters", BOX_SIZE) is BoxSize
    assert build("filters", ComponentSpec(name=BOX_SIZE, options={"min_side_px": 3})).options.min_side_px == 3


@pytest.mark.parametrize("path", ["no_such_package:Net", "posescope.data.coco.person_filters:Nothing"])
def test_unknown_dotted_path_is_an_error(path):
    with pytest.raises(OptionsError, match=f"posescope.filters: '{path}' points to {path}, which cannot be loaded") as caught:
        load_component("filters", path)
    assert caught.value.__cause__ is not None


def test_broken_entry_point_is_an_error(register):
    register(entry("tall", "no_such_package:Tall", "tallness"))
    with pytest.raises(OptionsError, match="'tall' points to no_such_package:Tall"):
        load_component("filters", "tall")


def test_component_whose_package_is_missing_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "needs_captum.py").write_text("import captum\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(MissingPackageError, match=r"posescope\.analyses: 'needs_captum:Shap' needs .*posescope\[explain\]"):
        load_component("analyses", "needs_captum:Shap")


def test_two_packages_with_one_name_are_an_error(register):
    register(entry("tall", "first:Tall", "one"), entry("wide", "w:Wide", "one"), entry("tall", "second:Tall", "two"))
    with pytest.raises(
        OptionsError, match=r"register 'tall' in posescope\.filters: one 1.0 \(first:Tall\) and two 1.0 \(second:Tall\)"
    ):
        installed("filters")
    with pytest.raises(OptionsError, match="Remove or rename one"):
        load_component("filters", "wide")


def test_repeated_registration_of_one_component_is_no_conflict(register):
    # A package that is both installed and on the path shows its entry points twice.
    register(entry("box", BOX_SIZE, "one"), entry("box", BOX_SIZE, "one"))
    assert load_component("filters", "box") is BoxSize


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_side_px": -1}, r"min_side_px: .*greater than or equal to 0 \(found -1\)"),
        ({"min_side": 3}, "min_side: unknown name"),
        ({"min_side_px": float("inf")}, "min_side_px: .*finite"),
        ({"min_side_px": "wide"}, r"min_side_px: .*number.* \(found 'wide'\)"),
    ],
)
def test_invalid_options_are_reported_with_component_path_and_value(options, message):
    with pytest.raises(OptionsError, match=f"posescope.filters: options of 'box_size': {message}"):
        check_options("filters", ComponentSpec(name="box_size", options=options))


def test_component_without_options_is_refused():
    with pytest.raises(OptionsError, match="'builtins:len' has no attribute Options"):
        check_options("filters", ComponentSpec(name="builtins:len"))


class Inner(Options):
    filters: tuple[Annotated[ComponentSpec, component_validator("filters")], ...] = ()
    rule: Annotated[ComponentSpec, component_validator("crop_rules")] = ComponentSpec(name="centred_square")
    fraction: float = Field(0.5, le=1)


class Outer(Options):
    inner: Inner = Inner()


def invalid(content):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(content)
    return describe_validation_error(caught.value)


def test_components_in_a_model_are_checked_with_it():
    found = Outer.model_validate({"inner": {"filters": [{"name": "labelled_joints", "options": {"at_least": 3}}]}})
    assert found.inner.filters == (ComponentSpec(name="labelled_joints", options={"at_least": 3}),)
    assert isinstance(build("filters", found.inner.filters[0]), LabelledJoints)


def test_validation_error_names_path_and_value():
    assert invalid({"inner": {"fraction": 2}}) == ("inner.fraction: Input should be less than or equal to 1 (found 2)",)
    assert invalid({"inner": {"fractions": 2}}) == ("inner.fractions: unknown name",)
    assert invalid("all") == ("(whole): Input should be a valid dictionary or instance of Outer (found 'all')",)


def test_validation_error_lists_all_faults():
    assert invalid({"inner": {"fraction": 2, "more": 1}, "outer": 1}) == (
        "inner.fraction: Input should be less than or equal to 1 (found 2)",
        "inner.more: unknown name",
        "outer: unknown name",
    )


def test_invalid_component_in_a_model_is_reported_with_its_path():
    (message,) = invalid({"inner": {"filters": [{"name": "box_size"}, {"name": "box_size", "options": {"min_side_px": -1}}]}})
    assert message.startswith("inner.filters.1: options of 'box_size': min_side_px: ")
    assert "(found -1)" in message
    (message,) = invalid({"inner": {"rule": {"name": "round"}}})
    assert message.startswith("inner.rule: No component 'round' in posescope.crop_rules")


def test_every_invalid_option_of_a_component_is_reported():
    assert invalid({"inner": {"filters": [{"name": "box_size", "options": {"side": 1, "size; px": 2}}]}}) == (
        "inner.filters.0: options of 'box_size': side: unknown name",
        "inner.filters.0: options of 'box_size': size; px: unknown name",
    )
    with pytest.raises(OptionsError, match=r"posescope\.filters: options of 'box_size': side: unknown name; sides: unknown name"):
        check_options("filters", ComponentSpec(name="box_size", options={"side": 1, "sides": 2}))


def test_invalid_options_of_a_nested_component_have_their_path():
    class Study(Options):
        analysis: Annotated[ComponentSpec, component_validator("analyses")]

    clusterer = {"name": "kmeans", "options": {"smalest": 2, "largst": 3}}
    with pytest.raises(ValidationError) as caught:
        Study.model_validate({"analysis": {"name": "clusters", "options": {"clusterer": clusterer}}})
    assert describe_validation_error(caught.value) == (
        "analysis: options of 'clusters': clusterer: options of 'kmeans': smalest: unknown name",
        "analysis: options of 'clusters': clusterer: options of 'kmeans': largst: unknown name",
    )


def test_options_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Outer().inner = Inner()


class Nest:
    """Component whose options contain another component."""

    class Options(Options):
        inner: Annotated[ComponentSpec, component_validator("filters")] = ComponentSpec(name="box_size")

    def __init__(self, options):
        self.options = options


NEST = f"{__name__}:Nest"


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """Write a module into the current folder, as an attacker could; it creates a file when it is imported."""
    (tmp_path / "evil_filter.py").write_text(
        "from pathlib import Path\n"
        "Path(__file__).with_name('imported').touch()\n"
        "from posescope.data.coco.person_filters import BoxSize as Filter\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    yield tmp_path / "imported"
    sys.modules.pop("evil_filter", None)


@pytest.mark.parametrize(
    "name", ["evil_filter:Filter; rm -rf ~", "x:y $(z)", "a:b\nc:d", ":x", "x:", "a..b:c", "..nets:Net", "--x:y", "a:b.c"]
)
def test_invalid_dotted_path_is_not_proposed_for_allow(name, evil):
    """The message for a path that is not allowed contains a command."""
    for allow in ((), [name]):
        with pytest.raises(OptionsError, match="No component ") as caught:
            trust_component("filters", StoredComponent(name=name), allow)
        assert "--allow-component" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not evil.exists()


def test_installed_component_of_a_file_is_trusted():
    spec = trust_component("filters", StoredComponent(name="box_size", options={"min_side_px": 3}))
    assert (type(spec), spec.name, spec.options) == (ComponentSpec, "box_size", {"min_side_px": 3})
    with pytest.raises(OptionsError, match="No component 'tall'"):
        trust_component("filters", StoredComponent(name="tall"))
    with pytest.raises(OptionsError, match="min_side_px"):
        trust_component("filters", StoredComponent(name="box_size", options={"min_side_px": "wide"}))


@pytest.mark.parametrize(
    "stored",
    [
        {"name": "evil_filter:Filter"},
        {"name": NEST, "options": {"inner": {"name": "evil_filter:Filter"}}},
        {"name": NEST, "options": {"inner": {"name": NEST, "options": {"inner": {"name": "evil_filter:Filter"}}}}},
    ],
)
def test_dotted_path_of_a_file_is_not_imported_at_any_depth(stored, evil):
    for allow in ((), [NEST], ["evil_filter:Other", NEST], [NEST, "evil_filter"]):
        with pytest.raises(OptionsError, match="by a dotted path"):
            trust_component("filters", StoredComponent.model_validate(stored), allow)
    assert not evil.exists()
    assert trust_component("filters", StoredComponent.model_validate(stored), [NEST, "evil_filter:Filter"]).name == stored["name"]
    assert evil.exists()


def test_component_named_by_the_caller_needs_no_permission():
    spec = ComponentSpec(name=BOX_SIZE)
    assert trust_component("filters", spec) is spec
    assert isinstance(build("filters", spec), BoxSize)


def test_stored_component_is_not_built():
    with pytest.raises(TypeError, match="comes from a file"):
        build("filters", StoredComponent(name="box_size"))


def test_restriction_of_dotted_paths_ends_with_its_block():
    with restrict_dotted_paths([NEST]):
        assert load_component("filters", NEST) is Nest
        assert load_component("filters", "box_size") is BoxSize
        with pytest.raises(ComponentNotAllowedError, match=BOX_SIZE):
            load_component("filters", BOX_SIZE)
        with restrict_dotted_paths(BOX_SIZE):  # a text is not read as a list of letters
            assert load_component("filters", BOX_SIZE) is BoxSize
    assert load_component("filters", BOX_SIZE) is BoxSize
