"""Whether the Hugging Face hub can be reached."""

import contextlib
import threading

REACH_TIMEOUT_S = 4.0


def hub_is_reachable() -> bool:
    """Whether the hub answers within `REACH_TIMEOUT_S`, including slow name servers and proxies."""
    import httpx
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, OSError):
            get_session().head(constants.ENDPOINT, timeout=REACH_TIMEOUT_S)  # honours the proxy settings
            answered.set()

    # In a thread: the DNS timeout is longer than `REACH_TIMEOUT_S`.
    prober = threading.Thread(target=ask, daemon=True)
    prober.start()
    prober.join(REACH_TIMEOUT_S)
    return answered.is_set()
