"""Program of `test_nodes.py` and of the benchmark: train dots on this node, as a node of the pipeline does.

    python train_on_node.py OPTIONS_JSON FOLDER [DATA_SEED]

The weights go to FOLDER.safetensors, the losses to FOLDER.json; another node than the main one writes nothing.
"""

import importlib.util
import json
import logging
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from posescope.core.errors import PosescopeError
from posescope.core.files import fingerprint
from posescope.core.plugins import ComponentSpec
from posescope.geometry.crop_recipe import CropRecipe
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.distributed.placement import NoResultError, find_placement
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train

SMALL = {"channels": 16, "stem_channels": 8, "depth": 2, "bottleneck_residuals": 1}


def load_dots() -> Any:
    """Return the module of the fixtures of tests/training."""
    place = Path(__file__).parents[1] / "training" / "conftest.py"
    spec = importlib.util.spec_from_file_location("dots", place)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(options_json: str, folder: Path, seed: int = 1) -> None:
    """Train and write the results."""
    dots = load_dots()
    model = build_untrained(
        ComponentSpec(name="hourglass", options=SMALL), ComponentSpec(name="gaussian"), dots.DOTS, (dots.SIZE, dots.SIZE),
        (0.4, 0.4, 0.4), CropRecipe(rule=ComponentSpec(name="centred_square")), 7,
    )  # fmt: skip
    options = TrainingOptions.model_validate_json(options_json)
    placement = find_placement(options)
    options = placement.resolve(options)
    outcome = train(
        model, dots.make_dots(43, seed), dots.make_dots(13, 2), options, CheckpointStore(folder),
        fingerprint([options.identity(), seed]), placement=placement,
    )  # fmt: skip
    weights = {name: value.contiguous() for name, value in outcome.model.network.state_dict().items()}
    save_file(weights, folder.with_suffix(".safetensors"))
    history = [(record.train_loss, record.val_loss, record.seconds) for record in outcome.history]
    folder.with_suffix(".json").write_text(json.dumps(history))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    try:
        main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
    except NoResultError as done:
        logging.info("%s", done)
    except PosescopeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
