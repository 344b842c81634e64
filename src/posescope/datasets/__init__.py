"""Kedro datasets that kedro-datasets lacks: stores, models, the test ledger, records, arrays, pictures, analyses, tables."""

from posescope.datasets.analysis import AnalysisDataset
from posescope.datasets.arrays import ArraysDataset
from posescope.datasets.csv_table import CsvTableDataset
from posescope.datasets.ledger import LedgerDataset
from posescope.datasets.model import ModelDataset
from posescope.datasets.nothing import NothingDataset
from posescope.datasets.picture import PictureDataset
from posescope.datasets.plot import PlotDataset
from posescope.datasets.record import RecordDataset
from posescope.datasets.store import StoreDataset
from posescope.datasets.table import VersionedTableDataset

__all__ = [
    "AnalysisDataset",
    "ArraysDataset",
    "CsvTableDataset",
    "LedgerDataset",
    "ModelDataset",
    "NothingDataset",
    "PictureDataset",
    "PlotDataset",
    "RecordDataset",
    "StoreDataset",
    "VersionedTableDataset",
]
