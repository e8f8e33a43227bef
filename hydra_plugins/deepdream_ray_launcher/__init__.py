"""hydra/launcher=ray. Hydra takes launchers from this namespace only; `deepdream.apps.ray_jobs` does the work."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class RayLauncher(Launcher):
    """Runs the jobs of a sweep on a Ray cluster. conf/hydra/launcher/ray.yaml describes the arguments."""

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float, retries: int) -> None:
        self._address = address
        self._options = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": retries}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands to every launcher."""
        self._sweep = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs, as many at a time as the cluster has room for. Their results, in order."""
        from deepdream.apps.ray_jobs import run_on_ray

        return run_on_ray(*self._sweep, job_overrides, initial_job_idx, self._address, self._options)
