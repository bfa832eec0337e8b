"""Switch off the telemetry of libraries. `training` imports it before any of them."""

import os

# ONNX Runtime writes a device id and an event queue to ~/.cache/Microsoft and sends them; it reads its
# variable when it is imported. The hub's client, transformers and datasets share theirs. Ray reports what a
# cluster is used for; litellm, which comes with UpTrain, fetches a price list when it is imported.
OFF = {
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
}


def switch_off() -> None:
    """Set the variables that are missing or empty in the environment."""
    for name, value in OFF.items():
        if not os.environ.get(name, "").strip():
            os.environ[name] = value
