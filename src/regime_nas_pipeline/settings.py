"""Project settings; see Kedro's documentation of ``settings.py``."""

import os

from kedro.config import OmegaConfigLoader

from regime_nas_pipeline.core.params import allow_modules
from regime_nas_pipeline.hooks import ProjectHooks

EXTENSION_MODULES: tuple[str, ...] = ()
"""Installed modules beside this package that class paths in the parameters may point into."""

allow_modules(*EXTENSION_MODULES)

HOOKS = (ProjectHooks(),)


def from_environment(name: str, default: str) -> str:
    """Value of an environment variable: where a machine keeps its data, never a secret."""
    return os.environ.get(name, default)


CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment states only what differs from base.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
    "custom_resolvers": {"from_environment": from_environment},
}
