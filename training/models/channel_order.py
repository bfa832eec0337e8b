"""The order of a model's channels, in which it makes no difference to the answers.

In int8 the channels with the largest activations are multiplied in fp32 (`training.models.quantization`).
Where they are the first ones, they are cut off in 8 µs for 242 rows of 768; gathering them takes 120.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

HIDDEN = "hidden"  # the channels that all layers read and add to
Order = npt.NDArray[np.int64]
# Parameter → what has the channels of each of its axes, None where they have a fixed order: those of heads.
Channels = Mapping[str, tuple[str | None, ...]]


def reordered(
    weights: Mapping[str, npt.NDArray[np.float32]], channels: Channels, orders: Mapping[str, Order]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights of the same model with its channels in other orders.

    Args:
        weights: those of `FusedArchitecture.weights`.
        channels: which of their axes have which channels. Gated layers have an axis of two halves, the input
            and the gate of each channel.
        orders: channels → for each new place the old one.
    """
    made = dict(weights)
    for name, axes in channels.items():
        for axis, part in enumerate(axes):
            if name in made and part is not None and part in orders:
                order = orders[part]
                halves = range(0, made[name].shape[axis], len(order))
                made[name] = np.take(made[name], np.concatenate([start + order for start in halves]), axis)
    return made
