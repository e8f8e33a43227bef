from .compiled import CompiledTaps as CompiledTaps
from .cuda_graphs import Recorder as Recorder
from .frozen import frozen_copy as frozen_copy
