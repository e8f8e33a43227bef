from .dataset import CLASSES as CLASSES
from .dataset import render_room as render_room
from .dataset import room_sheet as room_sheet
from .dataset import write_rooms as write_rooms
from .room import Room as Room
from .scene import BACKGROUND as BACKGROUND
from .shortcuts import SHORTCUT as SHORTCUT
