"""Datasets with out-of-distribution labels; importing this registers them with MMSegmentation."""

from mmseg_abnn.datasets.bdd_anomaly import BDDAnomalyDataset
from mmseg_abnn.datasets.mini_streets import MiniStreetsDataset
from mmseg_abnn.datasets.muad import MUADDataset
from mmseg_abnn.datasets.ood_dataset import IGNORE_ID, OOD_ID, OODSegDataset
from mmseg_abnn.datasets.repeatable import SeededDataset, SeededInfiniteSampler
from mmseg_abnn.datasets.street_hazards import StreetHazardsDataset
from mmseg_abnn.datasets.transforms import LoadOODAnnotations

__all__ = [
    'IGNORE_ID',
    'OOD_ID',
    'BDDAnomalyDataset',
    'LoadOODAnnotations',
    'MUADDataset',
    'MiniStreetsDataset',
    'OODSegDataset',
    'SeededDataset',
    'SeededInfiniteSampler',
    'StreetHazardsDataset',
]
