from .dataset import CLASSES as CLASSES
from .dataset import contact_sheet as contact_sheet
from .dataset import draw as draw
from .dataset import write_rooms as write_rooms
