"""Methods side by side on one dataset: what they reach over several seeds, and what they cost."""

from .methods import Comparison, Method
from .prediction_time import PredictionTimes, measure_prediction_times
from .reading import read_comparison
from .report import explain, write_comparison
from .runs import Run, carry_out, finished_metrics, plan_run
from .storage import Storage, read_storage
from .summary import Estimate, Measured, Row, estimate, summarize
from .tables import csv_table, markdown_tables, text_tables
from .training_cost import TrainingCost, training_cost

__all__ = [
    'Comparison',
    'Estimate',
    'Measured',
    'Method',
    'PredictionTimes',
    'Row',
    'Run',
    'Storage',
    'TrainingCost',
    'carry_out',
    'csv_table',
    'estimate',
    'explain',
    'finished_metrics',
    'markdown_tables',
    'measure_prediction_times',
    'plan_run',
    'read_comparison',
    'read_storage',
    'summarize',
    'text_tables',
    'training_cost',
    'write_comparison',
]
