"""Files of pretrained weights: read without unpickling objects, and converted once to safetensors."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from posescope.core.errors import DataError
from posescope.core.files import atomic_write, sha256_of
from posescope.core.paths import user_cache_dir

__all__ = ["default_cache_dir", "read_shard_names", "read_weights", "sha256_of_tensors", "unreadable_source"]

_SHARD = re.compile(r"\w[\w.-]*\.safetensors")  # a name without a folder
_LONGEST_MESSAGE = 300


def default_cache_dir() -> Path:
    """Return the user's cache folder of converted weights: `$XDG_CACHE_HOME/posescope/weights`, by default in `~/.cache`."""
    return user_cache_dir("weights")


def read_weights(path: Path, cache_dir: Path | None = None) -> tuple[dict[str, Tensor], str]:
    """Read a file of weights: safetensors, or a file of `torch.save` that contains tensors only.

    The latter is read with `weights_only=True`, which creates no other objects, and converted to safetensors. Later calls read
    the converted file, which is found by the SHA-256 of the original.

    Args:
        path: the file; the suffix `.safetensors` marks the first kind.
        cache_dir: folder of the converted files; None: `default_cache_dir`.

    Returns:
        The tensors by name, on the CPU, and the SHA-256 of the file.

    Raises:
        DataError: The file is missing or damaged, or contains anything but tensors by name.
    """
    if not path.is_file():
        raise DataError(f"{path}: expected a file of weights, found none. Correct the path.")
    sha256 = sha256_of(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path), sha256
    converted = (cache_dir or default_cache_dir()) / f"{path.stem}-{sha256[:16]}.safetensors"
    if not converted.is_file():
        with atomic_write(converted) as temporary:
            save_file(_read_tensors_only(path), temporary)
    return _read_safetensors(converted), sha256


def read_shard_names(index: Path) -> list[str]:
    """Return the names of the files of weights that are split into several ones.

    Args:
        index: the file `model.safetensors.index.json` of transformers: `{"weight_map": {name of the tensor: name of the file}}`.

    Returns:
        Each name once, in the order of the file. All files are in the folder of the index.

    Raises:
        DataError: The file cannot be read, or names other files than safetensors in its folder.
    """
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{index}: expected a `weight_map` from tensors to files, found {type(error).__name__}: {error}. "
            "Save the weights again with `save_pretrained`."
        ) from error
    wrong = [name for name in names if not (isinstance(name, str) and _SHARD.fullmatch(name))]
    if wrong or not names:
        raise DataError(
            f"{index}: expected names of safetensors files in the same folder, found {wrong[0] if wrong else 'none'}. "
            "Save the weights again with `save_pretrained`."
        )
    return list(dict.fromkeys(names))


def unreadable_source(source: str, what: str, error: Exception, is_hub: bool) -> DataError:
    """Return the error, in one line, for a folder or a model of the Hugging Face hub that a library cannot read.

    Args:
        source: the folder or the id.
        what: what was read, such as `the configuration`.
        error: the error of the library.
        is_hub: whether `source` is an id.
    """
    reason = " ".join(str(error).split())[:_LONGEST_MESSAGE].rstrip(".")
    remedy = (
        "Check the id, the revision and the connection, or download the model on another machine and give its `folder`"
        if is_hub
        else "Correct the path, or save the model again with `save_pretrained`"
    )
    place = " of the Hugging Face hub" if is_hub else ""
    return DataError(f"{source}: expected {what}{place}, found {type(error).__name__}: {reason}. {remedy}.")


def sha256_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors in the format of safetensors: 64 hexadecimal digits."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return hashlib.sha256(save(plain)).hexdigest()


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a safetensors file ({error}). Delete it, and download or convert it again.") from error
    return tensors


def _read_tensors_only(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many types, for a damaged file or one with other objects than tensors
        first_line = str(error).partition("\n")[0]
        raise DataError(f"{path}: expected a file of tensors, written by torch.save ({first_line}).") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(f"{path}: expected tensors by name, found other objects. Save the state_dict of the network only.")
    return {str(name): value.contiguous() for name, value in content.items()}
