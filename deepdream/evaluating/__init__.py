"""Is it good, and where does it fail."""

from deepdream.evaluating.chapters import FIGURES, TEST_HEADER, paired_rows, with_interval, write_page
from deepdream.evaluating.comparison import PairedTest, paired_tests
from deepdream.evaluating.evaluation import Evaluation, write_evaluation
from deepdream.evaluating.predictions import Predictions, predict

__all__ = [
    "FIGURES",
    "TEST_HEADER",
    "Evaluation",
    "PairedTest",
    "Predictions",
    "paired_rows",
    "paired_tests",
    "predict",
    "with_interval",
    "write_evaluation",
    "write_page",
]
