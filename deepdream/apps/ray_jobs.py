"""The jobs of a sweep as tasks of a Ray cluster (hydra/launcher=ray).

Ray starts a job again whose process or machine has died; the job then finds its folder begun, and resumes.

hydra-ray-launcher 1.2.2 is not used. It hands `object_store_memory` to a cluster that runs already, which Ray 2.60
refuses; it needs cloudpickle below 3, which supports no Python after 3.11; and a job that Ray has given up ends its
sweep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from deepdream.apps.sweep_jobs import JobFailed, note_failure
from deepdream.distribution import install_extra

# What all jobs share: Hydra's state in this process, and the current folder.
Shared = tuple[HydraContext, TaskFunction, DictConfig, Any, str]


def run_on_ray(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    address: str | None,
    options: Mapping[str, Any],
) -> list[JobReturn]:
    """The results of the jobs with these overrides, numbered from `first`, in order.

    address: of the cluster; None starts Ray on this machine. options: of each task, as of `ray.remote`.

    Raises ValueError, in one line, where Ray is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ValueError(f"hydra/launcher=ray needs the package ray; `{install_extra('ray')}` brings it") from error
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    if not ray.is_initialized():  # a search launches several times
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would otherwise report its use to its makers
        ray.init(address=address)
    task = ray.remote(**options)(_run)
    shared = ray.put((context, task_function, config, Singleton.get_state(), os.getcwd()))
    jobs = [
        task.options(name=f"job {number}").remote(number, list(overrides), shared)
        for number, overrides in enumerate(job_overrides, first)
    ]
    return [_result(job, config, number) for number, job in enumerate(jobs, first)]


def _result(job: Any, config: DictConfig, number: int) -> JobReturn:
    """What a job has returned. That of one which Ray has given up is its error, so that the others continue."""
    import ray

    try:
        found: JobReturn = ray.get(job)
    except ray.exceptions.RayError as error:
        note_failure(Path(config.hydra.sweep.dir), str(number))
        lost = JobFailed(f"job {number} of the sweep was lost: {str(error).splitlines()[0]}")
        return JobReturn(status=JobStatus.FAILED, _return_value=lost)
    return found


def _run(number: int, overrides: list[str], shared: Shared) -> JobReturn:
    """Run a job in a process of Ray's."""
    context, task_function, config, singletons, folder = shared
    os.chdir(folder)  # on another machine, Ray's processes begin elsewhere
    setup_globals()
    Singleton.set_state(singletons)
    job = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job):
        job.hydra.job.id, job.hydra.job.num = f"{job.hydra.job.name}_{number}", number
    HydraConfig.instance().set_config(job)
    return run_job(
        hydra_context=context,
        config=job,
        task_function=task_function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
