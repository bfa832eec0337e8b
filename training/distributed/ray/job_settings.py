"""What a job on the cluster is told: the settings in force, without what nobody may read there. No Ray.

A job's environment is shown to everybody who can ask the cluster for it: Ray hides it from browsers alone.
"""

from pathlib import Path

from sqlalchemy.engine import make_url

from training.settings import ON_THE_CLUSTER, Settings
from training.subprocess_environment import settings_as_environment
from training.telemetry import OFF

QUIET = {
    **OFF,
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # workers stay where relative settings mean something
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
}


def environment(settings: Settings) -> dict[str, str]:
    """Variables of the job: every setting but secrets, as this process has them; paths whole."""
    return QUIET | settings_as_environment(
        settings,
        home=str(settings.home.absolute()),
        base_model=_whole(settings.base_model),
        data_dir=str(settings.data_dir.absolute()) if settings.data_dir is not None else None,
        database_url=without_password(settings.model_copy(update={"home": settings.home.absolute()}).url),
        ray_address=ON_THE_CLUSTER,
        min_judgements=settings.needed_judgements,  # the defaults depend on the token
        min_voters=settings.needed_voters,
    )


def without_password(url: str) -> str:
    """The URL without it: nodes have it of their own, in `PGPASSWORD` or the file of `PGPASSFILE`."""
    # `set(password=None)` would leave it as it is.
    parts = make_url(url)._replace(password=None).difference_update_query(["password"])
    return parts.render_as_string(hide_password=False)


def _whole(base: str) -> str:
    """A folder by its whole path; a name on the hub as it is."""
    folder = Path(base)
    return str(folder.absolute()) if folder.is_dir() else base
