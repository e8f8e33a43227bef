from .interactive.dreams import Dream as Dream
from .interactive.dreams import dream as dream
from .interactive.dreams import visualize as visualize
from .interactive.explanations import ExplanationPanel as ExplanationPanel
from .interactive.explanations import explain as explain
from .interactive.networks import load_network as load_network
from .models.network import Network as Network

__version__: str
