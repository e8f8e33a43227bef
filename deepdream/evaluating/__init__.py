"""Is it good, and where does it fail."""

from deepdream.evaluating.evaluation import Evaluation, write_evaluation
from deepdream.evaluating.predictions import Predictions, predict

__all__ = ["Evaluation", "Predictions", "predict", "write_evaluation"]
