"""The environment variables of a job on a Ray cluster: the settings in force, without secrets. No Ray.

Everyone who can query the cluster can read a job's environment: Ray hides it only in the dashboard.
"""

from pathlib import Path

from sqlalchemy.engine import make_url

from training.settings import ON_THE_CLUSTER, Settings
from training.subprocess_environment import settings_as_environment
from training.telemetry import OFF

QUIET = {
    **OFF,
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # workers keep the directory that relative paths refer to
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
}


def environment(settings: Settings) -> dict[str, str]:
    """Return every setting of this process except secrets, with absolute paths."""
    return QUIET | settings_as_environment(
        settings,
        home=str(settings.home.absolute()),
        base_model=_absolute(settings.base_model),
        data_dir=str(settings.data_dir.absolute()) if settings.data_dir is not None else None,
        database_url=without_password(settings.model_copy(update={"home": settings.home.absolute()}).url),
        ray_address=ON_THE_CLUSTER,
        min_judgements=settings.needed_judgements,  # the defaults depend on the token
        min_voters=settings.needed_voters,
    )


def without_password(url: str) -> str:
    """Return the URL without its password; nodes set `PGPASSWORD` or `PGPASSFILE` themselves."""
    # `set(password=None)` would keep the password.
    parts = make_url(url)._replace(password=None).difference_update_query(["password"])
    return parts.render_as_string(hide_password=False)


def _absolute(base: str) -> str:
    """Return the absolute path of a folder; a name on the hub unchanged."""
    folder = Path(base)
    return str(folder.absolute()) if folder.is_dir() else base
