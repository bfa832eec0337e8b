"""The environment of a subprocess or job: the settings in force, without secrets."""

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import SecretStr

from storage.backends.locks import is_shared
from training.settings import Settings

# Other variables of the parent are inherited only by these names.
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
    """Variables from which another process reads the same settings, without secrets.

    Args:
        settings: only the fields of `training.settings.Settings` are used.
        instead: values that replace those of `settings`.
    """
    variables = {}
    values = settings.model_dump(mode="json", include=set(Settings.model_fields)) | instead
    for name, field in Settings.model_fields.items():
        if SecretStr not in (field.annotation, *get_args(field.annotation)):
            variables[field.alias or f"FILLBOT_{name.upper()}"] = _written(values[name])
    return variables


def inherited_environment(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return the part of this process's environment that a subprocess needs."""
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
    """Return a value as `storage.settings` reads it; None is empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
