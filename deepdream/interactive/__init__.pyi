from .dreams import Dream as Dream
from .dreams import dream as dream
from .dreams import visualize as visualize
from .explanations import ExplanationPanel as ExplanationPanel
from .explanations import explain as explain
from .networks import load_network as load_network
