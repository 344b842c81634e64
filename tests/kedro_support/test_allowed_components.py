"""Tests of posescope.kedro_support.run_checks: dotted paths of the parameters are allowed in the files of the catalog."""

from pathlib import Path

from kedro.io import DataCatalog

from posescope.datasets import ModelDataset, RecordDataset
from posescope.kedro_support.run_checks import AllowDottedPaths, dotted_paths_in

PARAMETERS = {
    "model": "models/mine",
    "raw_dir": "C:\\images",
    "modelling": {"model": {"name": "my.nets:Net", "options": {"parts": [{"name": "my.parts:Part"}, "my.nets:Net"]}}},
    "data_engineering": {"codec": {"name": "gaussian"}, "crop": {"rule": "rules:Square", "margin": 0.1}},
    "time": "12:30",
}


def test_every_dotted_path_is_found_once() -> None:
    assert dotted_paths_in(PARAMETERS) == ("my.nets:Net", "my.parts:Part", "rules:Square")


def test_parameters_without_dotted_paths_allow_nothing() -> None:
    assert dotted_paths_in({"a": "s3://x", "b": "x:", "c": None, "d": 3, "e": "one two:three", "f": "x:y\n"}) == ()


def test_models_of_the_catalog_allow_the_dotted_paths(tmp_path: Path) -> None:
    entry = {"type": "posescope.datasets.ModelDataset", "filepath": str(tmp_path / "model")}
    table = {"type": "pandas.CSVDataset", "filepath": str(tmp_path / "table.csv")}
    record = {"type": "posescope.datasets.RecordDataset", "record": "posescope.core.skeleton.Skeleton", "filepath": str(tmp_path)}
    entries = {"plain": entry, "own": {**entry, "allow": ["its.own:Net"]}, "table": table, "record": record}
    catalog = DataCatalog.from_config(entries)
    AllowDottedPaths().after_catalog_created(catalog=catalog, parameters=PARAMETERS)
    plain, own, kept = catalog.get("plain"), catalog.get("own"), catalog.get("record")
    assert isinstance(kept, RecordDataset)
    assert kept.allow == ("my.nets:Net", "my.parts:Part", "rules:Square")
    assert isinstance(plain, ModelDataset)
    assert isinstance(own, ModelDataset)
    assert plain.allow == ("my.nets:Net", "my.parts:Part", "rules:Square")
    assert own.allow == ("its.own:Net", *plain.allow)


def test_catalog_is_unchanged_without_dotted_paths(tmp_path: Path) -> None:
    catalog = DataCatalog.from_config({"m": {"type": "posescope.datasets.ModelDataset", "filepath": str(tmp_path / "model")}})
    AllowDottedPaths().after_catalog_created(catalog=catalog, parameters={"modelling": {"model": {"name": "hourglass"}}})
    dataset = catalog.get("m")
    assert isinstance(dataset, ModelDataset)
    assert dataset.allow == ()
