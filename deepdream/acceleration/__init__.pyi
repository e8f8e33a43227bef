from .compiled import CompiledTaps as CompiledTaps
from .cuda_graphs import WARM_UP_CALLS as WARM_UP_CALLS
from .cuda_graphs import GraphCache as GraphCache
from .frozen import accelerated_copy as accelerated_copy
from .frozen import fold_batch_norm as fold_batch_norm
from .switch import disabled as disabled
from .switch import is_enabled as is_enabled
from .weight_gradients import fast_weight_gradients as fast_weight_gradients
