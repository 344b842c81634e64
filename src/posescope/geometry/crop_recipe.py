"""The crop recipe: how the crops of a data set were made. A model stores it, so that predictions use the same crops."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, StoredComponent, build, check_options, load_component, trust_component
from posescope.geometry.square_boxes import CropRule, PaddedSquare, SquareOptions

__all__ = ["CropRecipe", "follows_aspect", "read_crop_recipe"]

ChannelValue = Annotated[int, Field(ge=0, le=255)]


class CropRecipe(Options):
    """The crop rule and the padding colour."""

    rule: StoredComponent = Field(description="A component of posescope.crop_rules; as stored in the file until `trusted`")
    padding_rgb: tuple[ChannelValue, ChannelValue, ChannelValue] = Field(
        (124, 116, 104), description="Colour outside the image, 0..255"
    )

    def rule_of_detected_boxes(self) -> CropRule:
        """Return the rule that crops persons whose joints are not known; their box takes the place of the joints.

        It is the rule of the training crops if it follows the aspect ratio of the crops. Otherwise it is `padded_square` with the
        same margin, so that persons at the border of the image are predicted, too.

        Raises:
            ComponentNotAllowedError: The rule is a dotted path from a file that `trusted` has not allowed.
            OptionsError: The rule is not installed, or its options are invalid.
        """
        rule = trust_component("crop_rules", self.rule)
        if follows_aspect(rule.name):
            detected: CropRule = build("crop_rules", rule)
            return detected
        return PaddedSquare(SquareOptions(margin=self.margin))

    @property
    def margin(self) -> float:
        """Growth of the side as a fraction of it: the rule's option `margin`, or the default of `SquareOptions` without it.

        Raises:
            ComponentNotAllowedError: The rule is a dotted path from a file that `trusted` has not allowed.
            OptionsError: The rule is not installed, or its options are invalid.
        """
        rule = trust_component("crop_rules", self.rule)
        return float(getattr(check_options("crop_rules", rule), "margin", SquareOptions().margin))

    def trusted(self, allow: Collection[str]) -> "CropRecipe":
        """Return the recipe with a rule that may be loaded.

        Args:
            allow: dotted paths that the caller trusts.

        Raises:
            ComponentNotAllowedError: The rule is a dotted path that is not in `allow`.
            OptionsError: The rule is not installed, or its options are invalid.
        """
        return self.model_copy(update={"rule": trust_component("crop_rules", self.rule, allow)})

    def differences(self, other: "CropRecipe") -> tuple[str, ...]:
        """Return the differences to another recipe, as one phrase with both values per field; empty if there are none.

        Missing options have their default values. A dotted path that the caller trusts in one recipe is trusted in the other.
        """
        allow = [rule.name for rule in (self.rule, other.rule) if isinstance(rule, ComponentSpec)]
        pairs = {
            "rule": (_describe_rule(self.rule, allow), _describe_rule(other.rule, allow)),
            "padding_rgb": (str(self.padding_rgb), str(other.padding_rgb)),
        }
        return tuple(f"{what}: {own} for the model, {its} here" for what, (own, its) in pairs.items() if own != its)


def follows_aspect(rule: str) -> bool:
    """Return whether the boxes of a crop rule have the aspect ratio of the crops; those of other rules are squares.

    Args:
        rule: name of an installed crop rule, or a dotted path.

    Raises:
        OptionsError: The rule is not installed.
    """
    return bool(getattr(load_component("crop_rules", rule), "follows_aspect", False))


def _describe_rule(rule: StoredComponent, allow: Collection[str]) -> str:
    try:
        options = check_options("crop_rules", trust_component("crop_rules", rule, allow)).model_dump(mode="json")
    except OptionsError:  # the rule may not be loaded here: compare the options as stored
        options = dict(rule.options)
    return f"{rule.name} ({', '.join(f'{name} {value}' for name, value in sorted(options.items()))})"


def read_crop_recipe(content: Mapping[str, Any]) -> CropRecipe:
    """Read the recipe from the field `crop` of a description, or from `crop_rule` (the rule's name alone) of an older one.

    Raises:
        KeyError: Both fields are missing.
        pydantic.ValidationError: The recipe is malformed.
    """
    if "crop" in content:
        return CropRecipe.model_validate(content["crop"])
    return CropRecipe(rule=StoredComponent(name=content["crop_rule"]))
