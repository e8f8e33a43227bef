"""Why did it answer so, and can that answer be trusted."""

from deepdream.explaining.confidence import answer_probabilities, attribution_confidence
from deepdream.explaining.explanation import METHODS, Explanation, explain, grad_cam
from deepdream.explaining.question import class_name, target_index

__all__ = [
    "METHODS",
    "Explanation",
    "answer_probabilities",
    "attribution_confidence",
    "class_name",
    "explain",
    "grad_cam",
    "target_index",
]
