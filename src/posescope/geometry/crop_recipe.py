"""How people were cut out of their images: what a model must be told to cut alike."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, StoredComponent, check_options, trust_component
from posescope.geometry.square_boxes import SquareOptions

__all__ = ["CropRecipe", "read_crop_recipe"]

ChannelValue = Annotated[int, Field(ge=0, le=255)]


class CropRecipe(Options):
    """The rule of the squares, and the colour outside the image."""

    rule: StoredComponent = Field(description="a component of posescope.crop_rules; as a file named it, until `trusted`")
    padding_rgb: tuple[ChannelValue, ChannelValue, ChannelValue] = Field(
        (124, 116, 104), description="colour outside the image, 0..255 each"
    )

    @property
    def margin(self) -> float:
        """Growth of the side as a share of it: the rule's own `margin`, or `SquareOptions`' where the rule has none.

        Raises:
            ComponentNotAllowedError: if the rule is a dotted path that a file named, and `trusted` has not allowed it.
            OptionsError: if the rule is not installed, or its options are wrong.
        """
        rule = trust_component("crop_rules", self.rule)
        return float(getattr(check_options("crop_rules", rule), "margin", SquareOptions().margin))

    def trusted(self, allow: Collection[str]) -> "CropRecipe":
        """Return the recipe with a rule that may be loaded.

        Args:
            allow: dotted paths that the caller allows.

        Raises:
            ComponentNotAllowedError: if the rule is a dotted path that `allow` lacks.
            OptionsError: if the rule is not installed, or its options are wrong.
        """
        return self.model_copy(update={"rule": trust_component("crop_rules", self.rule, allow)})

    def differences(self, other: "CropRecipe") -> tuple[str, ...]:
        """Return in what another recipe differs from this one, a phrase each with both values; empty: they cut alike.

        Options that are left out have their default values. A dotted path that the caller has named on one side is known on the
        other one too.
        """
        allow = [rule.name for rule in (self.rule, other.rule) if isinstance(rule, ComponentSpec)]
        pairs = {
            "rule": (_describe_rule(self.rule, allow), _describe_rule(other.rule, allow)),
            "padding_rgb": (str(self.padding_rgb), str(other.padding_rgb)),
        }
        return tuple(f"{what}: {own} for the model, {its} here" for what, (own, its) in pairs.items() if own != its)


def _describe_rule(rule: StoredComponent, allow: Collection[str]) -> str:
    try:
        options = check_options("crop_rules", trust_component("crop_rules", rule, allow)).model_dump(mode="json")
    except OptionsError:  # a rule that may not be loaded here: its options are known as far as they were written down
        options = dict(rule.options)
    return f"{rule.name} ({', '.join(f'{name} {value}' for name, value in sorted(options.items()))})"


def read_crop_recipe(content: Mapping[str, Any]) -> CropRecipe:
    """Read the recipe from a description's field `crop`, or, where an older one has the rule's name alone, from `crop_rule`.

    Raises:
        KeyError: if there is neither.
        pydantic.ValidationError: if the recipe is malformed.
    """
    if "crop" in content:
        return CropRecipe.model_validate(content["crop"])
    return CropRecipe(rule=StoredComponent(name=content["crop_rule"]))
