"""Kedro datasets that kedro-datasets lacks: stores, models, uncertainty, access log, records, images, plots, analyses, tables."""

from posescope.datasets.access_log import AccessLogDataset
from posescope.datasets.analysis_results import AnalysisDataset
from posescope.datasets.images_and_plots import ImageDataset, PlotDataset
from posescope.datasets.model_folders import ModelDataset
from posescope.datasets.model_uncertainty import UncertaintyDataset
from posescope.datasets.records import ArraysDataset, RecordDataset
from posescope.datasets.stores import StoreDataset
from posescope.datasets.table_files import CsvTableDataset, JsonDataset, ParquetTableDataset

__all__ = [
    "AccessLogDataset",
    "AnalysisDataset",
    "ArraysDataset",
    "CsvTableDataset",
    "ImageDataset",
    "JsonDataset",
    "ModelDataset",
    "ParquetTableDataset",
    "PlotDataset",
    "RecordDataset",
    "StoreDataset",
    "UncertaintyDataset",
]
