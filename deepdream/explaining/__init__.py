"""Why did it answer so, and can that answer be trusted."""

from deepdream.explaining.confidence import answer_probabilities, attribution_confidence
from deepdream.explaining.examination import Examination, examine, network_view, overlay
from deepdream.explaining.explanation import METHODS, Explanation, explain, grad_cam
from deepdream.explaining.panels import draw_panel
from deepdream.explaining.question import class_name, network_input, target_index
from deepdream.explaining.ranking import MethodFigures, rank_methods

__all__ = [
    "METHODS",
    "Examination",
    "Explanation",
    "MethodFigures",
    "answer_probabilities",
    "attribution_confidence",
    "class_name",
    "draw_panel",
    "examine",
    "explain",
    "grad_cam",
    "network_input",
    "network_view",
    "overlay",
    "rank_methods",
    "target_index",
]
