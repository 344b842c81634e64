"""Merge layers of parameters, and recognise the names that parameters had in earlier versions.

An environment and `--params` name only what differs. A plain deep merge would keep the options of a component that was replaced,
which the new component does not know:

    base         codec: {name: gaussian, options: {sigma_heatmap_px: 1.0}}
    --params     data_engineering.codec.name=thesis
    deep merge   codec: {name: thesis, options: {sigma_heatmap_px: 1.0}}      <- refused: `thesis` has no sigma_heatmap_px
    this merge   codec: {name: thesis}                                        <- `thesis` with its defaults
"""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "REMOVED_OPTIONS", "RENAMED_COMPONENTS", "RENAMED_OPTIONS", "RENAMED_PARAMETERS", "describe_unknown_option",
    "describe_unknown_parameter", "merge_parameters", "renamed_parameter",
]  # fmt: skip

# Keys of a component's name, and of its options beside the name.
_COMPONENT_KEYS = (("name", "options"), ("rule", "rule_options"))

# (group, component) -> {old option: new option}.
RENAMED_OPTIONS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("analyses", "attribution"): {"cell": "location", "around": "sum_neighbours"},
    ("analyses", "clusters"): {"halves": "stability_splits", "variance_share": "variance_fraction"},
    ("analyses", "latent_traversal"): {"pushed_persons": "perturbed_persons", "push_sd": "perturbation_sd"},
    ("augmentations", "half_body"): {
        "upper_share": "upper_probability",
        "labelled_share": "min_labelled_fraction",
        "half_joints": "min_joints",
        "largest_zoom": "max_zoom",
    },
    ("clusterers", "gaussian_mixture"): {"fitted_persons": "start_persons"},
    ("codecs", "gaussian"): {
        "sigma_cells": "sigma_heatmap_px",
        "blur_sigma_cells": "blur_sigma_heatmap_px",
        "weight_hidden": "weight_occluded",
    },
    ("codecs", "thesis"): {"sigma_hidden": "sigma_occluded"},
    ("codecs", "thesis_256"): {"sigma_hidden": "sigma_occluded"},
    ("detectors", "boxes_file"): {"max_invalid_share": "max_invalid_fraction"},
    ("losses", "mse"): {"emphasis": "foreground_weight"},
    ("schedules", "one_cycle"): {
        "warmup_share": "warmup_fraction",
        "start_share": "start_fraction",
        "final_share": "final_fraction",
    },
}
# (group, component) -> {removed option: reason}.
REMOVED_OPTIONS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("analyses", "clusters"): {"device": "k-means runs on the CPU"},
    ("analyses", "component_names"): {
        "components": "the first 10 components are named in every analysis alike",
        "image_attributes": "brightness, contrast and detail are part of the attributes",
        "pictures": "brightness, contrast and detail are part of the attributes",
        "folds": "names have no options, so that every analysis gives a component the same name",
        "shuffles": "names have no options, so that every analysis gives a component the same name",
        "resamples": "names have no options, so that every analysis gives a component the same name",
        "persons": "names are of at most 20,000 persons of each kind",
    },
    ("clusterers", "kmeans"): {"device": "k-means runs on the CPU"},
}
# Old path -> new path. Pydantic reports the path of a schedule's option with the name of the schedule in it.
RENAMED_PARAMETERS: Mapping[str, str] = {
    "test_ledger": "test_access_log",
    "data_engineering.failures.max_share": "data_engineering.failures.max_fraction",
    "data_engineering.failures.max_wrong_share": "data_engineering.failures.max_implausible_fraction",
    "data_engineering.split.test_share_max": "data_engineering.split.max_test_fraction",
    "modelling.training.sheet_every_epochs": "modelling.training.image_grid_every_epochs",
    **{
        f"modelling.training.schedule.one_cycle.options.{old}": f"modelling.training.schedule.options.{new}"
        for old, new in RENAMED_OPTIONS["schedules", "one_cycle"].items()
    },
    "evaluation.failures": "evaluation.error_analysis",
    "final_test.unseal_again": "final_test.allow_repeated_access",
    "explainability.persons.tap": "explainability.persons.layer",
    "explainability.persons.split": "explainability.persons.judge_split",
    "improve.autoencoder.held_out_share": "improve.autoencoder.validation_fraction",
    "improve.autoencoder.measured_share": "improve.autoencoder.evaluation_fraction",
    "improve.fine_tuning.learning_rate_share": "improve.fine_tuning.learning_rate_factor",
}
# (group, old name) -> new name.
RENAMED_COMPONENTS: Mapping[tuple[str, str], str] = {
    ("analyses", "walks"): "latent_traversal",
    ("augmentations", "colour"): "colour_jitter",
}


def merge_parameters(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two layers of parameters, key by key; lists are replaced.

    Args:
        below: The lower layer.
        above: The upper layer, which wins. If it names another component than the lower one, the lower options are dropped.
    """
    result = dict(below)
    for name, options in _COMPONENT_KEYS:
        if name in above and name in below and above[name] != below[name]:
            result.pop(options, None)
    for key, value in above.items():
        lower = result.get(key)
        if isinstance(lower, Mapping) and isinstance(value, Mapping):
            result[key] = merge_parameters(lower, value)
        else:
            result[key] = value
    return result


def renamed_parameter(path: str) -> str | None:
    """Return the new path of a renamed parameter, None if the path is no old one.

    Args:
        path: A dotted path, or its end: the path of a field below a namespace.
    """
    if path in RENAMED_PARAMETERS:
        return RENAMED_PARAMETERS[path]
    new = [to for old, to in RENAMED_PARAMETERS.items() if old.endswith(f".{path}")]
    return new[0] if len(new) == 1 else None


def describe_unknown_parameter(path: str) -> str:
    """Return the error message for an unknown parameter; it contains the new name if the parameter was renamed."""
    return _describe(renamed_parameter(path))


def describe_unknown_option(group: str, component: str, option: str) -> str:
    """Return what is wrong with an option that does not exist: its new name, or the reason of its removal, if there is one.

    Args:
        group: Group of the component.
        component: Name of the component.
        option: Path of the option.
    """
    reason = REMOVED_OPTIONS.get((group, component), {}).get(option)
    return _describe(RENAMED_OPTIONS.get((group, component), {}).get(option)) if reason is None else f"removed: {reason}"


def _describe(new: str | None) -> str:
    return "unknown name" if new is None else f"renamed to {new}; use the new name"
