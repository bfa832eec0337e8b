"""What a figure that was drawn shows: its texts, and whether any is cut or covers another."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def texts_of(figure: Figure) -> list[Text]:
    """Every text that is drawn."""
    texts: list[Text] = []
    for part in (figure, *figure.subfigs):
        texts += [*part.texts, *(text for legend in part.legends for text in legend.get_texts())]
    for axes in figure.axes:
        texts += _texts_of_axes(axes)
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def said(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in texts_of(figure))


def cut(figure: Figure) -> list[str]:
    """Texts that reach beyond the figure."""
    return [text.get_text() for text in texts_of(figure) if not _is_inside(text.get_window_extent(), figure)]


def covering(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that overlap."""
    texts = texts_of(figure)
    extents = np.array([text.get_window_extent().extents for text in texts]).reshape(-1, 4)  # x0, y0, x1, y1
    low = np.maximum(extents[:, None, :2], extents[None, :, :2])
    high = np.minimum(extents[:, None, 2:], extents[None, :, 2:])
    overlap = ((high - low) > 1).all(axis=-1)  # pixels both ways; (texts, texts)
    return [(texts[i].get_text(), texts[j].get_text()) for i, j in np.argwhere(np.triu(overlap, k=1))]


def _texts_of_axes(axes: Axes) -> list[Text]:
    tick_labels = {
        label
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
    }
    texts = [text for text in axes.findobj(Text) if isinstance(text, Text) and text not in tick_labels]
    if not axes.axison:
        return [text for text in texts if text in axes.texts]
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return texts


def _is_inside(extent: Bbox, figure: Figure) -> bool:
    page = figure.bbox
    return extent.x0 >= page.x0 and extent.y0 >= page.y0 and extent.x1 <= page.x1 and extent.y1 <= page.y1
