"""Migration of `model.json` from earlier format versions: names of options and of provenance fields.

1 -> 2   `crop_rule` (a name) -> `crop` (a crop recipe): see `description`
2 -> 3   options of codecs; in the provenance also those of losses, schedules and augmentations (`core.parameters`)
"""

from collections.abc import Mapping
from typing import Any

from posescope.core.parameters import RENAMED_COMPONENTS, RENAMED_OPTIONS

__all__ = ["FORMAT_VERSION", "codec_of_format_2", "migrate_to_current"]

FORMAT_VERSION = 3

_CODECS = {name: options for (group, name), options in RENAMED_OPTIONS.items() if group == "codecs"}
_OPTIONS = {name: options for (_, name), options in RENAMED_OPTIONS.items()}
_AUGMENTATIONS = {old: new for (group, old), new in RENAMED_COMPONENTS.items() if group == "augmentations"}
_FIELDS = {"test_people": "test_set_fingerprint", "sheet_every_epochs": "image_grid_every_epochs"}


def migrate_to_current(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a `model.json` of format 2 or later under the current names.

    Args:
        content: All fields of the file. Malformed fields are returned unchanged; their reader refuses them.
    """
    codec = _rename_options(content["codec"], _CODECS)
    provenance = _migrate_provenance(content.get("provenance", {}))
    return {**content, "format_version": FORMAT_VERSION, "codec": codec, "provenance": provenance}


def codec_of_format_2(codec: Any) -> Any:
    """Return a codec under the option names of format 2, from which fingerprints are computed: a renaming changes none."""
    return _rename_options(codec, {name: {new: old for old, new in names.items()} for name, names in _CODECS.items()})


def _rename_options(component: Any, table: Mapping[str, Mapping[str, str]]) -> Any:
    if not isinstance(component, Mapping) or not isinstance(component.get("options"), Mapping):
        return component
    names = table.get(str(component.get("name")), {})
    return {**component, "options": {names.get(key, key): value for key, value in component["options"].items()}}


def _migrate_provenance(content: Any) -> Any:
    if isinstance(content, list):
        return [_migrate_provenance(value) for value in content]
    if not isinstance(content, Mapping):
        return content
    migrated = {_FIELDS.get(key, key): _migrate_provenance(value) for key, value in _rename_options(content, _OPTIONS).items()}
    if isinstance(migrated.get("augmentations"), list):
        migrated["augmentations"] = [_rename_augmentation(item) for item in migrated["augmentations"]]
    device = migrated.get("device")
    if isinstance(device, dict) and "recorded" in device:
        migrated["device"] = {"cuda_graph" if key == "recorded" else key: value for key, value in device.items()}
    return migrated


def _rename_augmentation(item: Any) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return item
    return {**item, "name": _AUGMENTATIONS.get(item["name"], item["name"])}
