"""The bottleneck features of every stack, on disk: a `FeatureStore` a stack.

improve/
    stack1/        see `feature_store`
    stacks.json    how many there are; written last
"""

from pathlib import Path

from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.errors import DataError
from posescope.explain.feature_store import FeatureSet, FeatureStore
from posescope.explain.features import extract_features
from posescope.files import read_sealed_json, write_sealed_json

__all__ = ["StackFeatureStore", "bottleneck_taps", "read_bottlenecks"]


class StackFeatureStore:
    """Owns a folder of features, stack by stack. Nothing is made before it is needed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def of_stack(self, stack: int) -> FeatureStore:
        """The store of one stack; 1 is the first."""
        return FeatureStore(self.root / f"stack{stack}")

    def is_finished(self) -> bool:
        """Whether the features of all stacks are there."""
        return (self.root / "stacks.json").is_file()

    def begin(self) -> None:
        """What is here is not finished from now on."""
        (self.root / "stacks.json").unlink(missing_ok=True)

    def finish(self, stacks: int) -> None:
        """So many stacks are there."""
        write_sealed_json(self.root / "stacks.json", {"stacks": stacks})

    def open(self) -> tuple[FeatureSet, ...]:
        """The features of each stack, the first one first; all of the same persons.

        Raises:
            DataError: if they are not finished.
        """
        if not self.is_finished():
            raise DataError(f"{self.root}: there are no finished features here. Run the pipeline improve from its beginning.")
        remedy = "Run the pipeline improve from its beginning."
        stacks = read_sealed_json(self.root / "stacks.json", remedy).get("stacks")
        if not isinstance(stacks, int):
            raise DataError(f"{self.root / 'stacks.json'}: expected a number of stacks, found {stacks!r}. {remedy}")
        return tuple(self.of_stack(stack).open() for stack in range(1, stacks + 1))


def bottleneck_taps(model: PoseModel) -> tuple[str, ...]:
    """The bottleneck of each stack, the first one first."""
    return tuple(name for name in model.network.tap_names if name.endswith(".bottleneck"))


def read_bottlenecks(
    model: PoseModel, crops: CropSet, store: StackFeatureStore, data_fingerprint: str, batch_size: int
) -> StackFeatureStore:
    """Stream persons through the network, and keep what each stack's bottleneck puts out, as float32.

    Nothing is done for a stack whose features of the same weights and persons are there.
    """
    store.begin()
    taps = bottleneck_taps(model)
    for stack, tap in enumerate(taps, start=1):
        place = store.of_stack(stack)
        extract_features(
            model, crops, tap, place, data_fingerprint=data_fingerprint, batch_size=batch_size, dtype="float32"
        )  # fmt: skip
    store.finish(len(taps))
    return store
