"""What a subprocess or a job is told: the settings in force, derived from their fields, and no secret."""

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import SecretStr

from storage.backends.locks import is_shared
from training.settings import Settings

# What the parent's environment holds beside the settings is passed by these names alone.
NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"),
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "XDG_CACHE_HOME", "MPLCONFIGDIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    }
)
FAMILIES = (
    *("LC_", "PYTHON", "COVERAGE_", "COV_CORE_", "MALLOC_"),
    *("CUDA_", "NVIDIA_", "NCCL_", "TORCH", "PYTORCH_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_"),
    *("HF_", "TRANSFORMERS_", "TOKENIZERS_", "RAYON_"),  # HF_TOKEN too: private base models ask for it
)
OF_SHARED_MODELS = ("AWS_", "FSSPEC_")  # keys of the storage, where there is one
OF_SERVER = ("PG",)  # libpq's, such as PGPASSFILE, where the database is PostgreSQL
OF_CLUSTER = ("RAY_",)


def settings_as_environment(settings: Settings, **instead: Any) -> dict[str, str]:
    """The variables by which another process reads the same settings, but for secrets.

    Args:
        settings: those of the bot may be among them; the training side's alone are told.
        instead: values that stand in for those of `settings`.
    """
    told = {}
    values = settings.model_dump(mode="json", include=set(Settings.model_fields)) | instead
    for name, field in Settings.model_fields.items():
        if SecretStr not in (field.annotation, *get_args(field.annotation)):
            told[field.alias or f"FILLBOT_{name.upper()}"] = _written(values[name])
    return told


def inherited_environment(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The part of this process's environment that a child of it needs."""
    families: tuple[str, ...] = FAMILIES
    families += OF_SHARED_MODELS if settings.models_url is not None else ()
    families += OF_SERVER if is_shared(settings.url) else ()
    families += OF_CLUSTER if settings.ray_address is not None else ()
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in NAMES or name.startswith(families)
    }


def _written(value: Any) -> str:
    """As `pydantic-settings` reads it from a variable; empty: None."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
