// The popup next to the element that opened it; a click elsewhere, Escape or a resize closes it.

import { h, placeOfFocus, ui } from "./dom.js";

let layer = null;

export const openedFrom = () => layer?.anchor ?? null;

/** Shows a popup; `onclose` receives whether it was cancelled. */
export function openLayer(anchor, popup, onclose = null) {
  closeLayer();
  anchor.focus({ preventScroll: true }); // Safari leaves a clicked button without focus
  layer = { anchor, popup, onclose, place: placeOfFocus() };
  ui.layer.replaceChildren(popup);
  const place = anchor.getBoundingClientRect();
  const size = popup.getBoundingClientRect();
  const isBelow = place.bottom + size.height + 8 < innerHeight || place.top < size.height + 8;
  const top = isBelow ? place.bottom + 4 : place.top - size.height - 4;
  popup.style.top = `${Math.max(8, Math.min(top, innerHeight - size.height - 8))}px`;
  popup.style.left = `${Math.max(8, Math.min(place.left, innerWidth - size.width - 8))}px`;
  anchor.setAttribute("aria-expanded", "true");
}

export function closeLayer({ isCancelled = false } = {}) {
  if (!layer) return;
  const { anchor, onclose, place, popup } = layer;
  layer = null;
  const hadFocus = popup.contains(document.activeElement);
  ui.layer.replaceChildren();
  anchor.setAttribute("aria-expanded", "false");
  if (hadFocus) place.restore();
  onclose?.(isCancelled);
}

/** Closes the popup before the messages move; choices made in a menu are kept. */
export function closeOnScroll() {
  if (layer) closeLayer({ isCancelled: layer.popup.classList.contains("emoji-picker") });
}

document.addEventListener("pointerdown", ({ target }) => {
  if (layer && !layer.popup.contains(target) && !layer.anchor.contains(target)) closeLayer();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && layer) {
    event.preventDefault();
    closeLayer({ isCancelled: true });
  } else if (event.key === "Tab" && layer) keepFocus(event);
}, { capture: true });
addEventListener("resize", () => closeLayer());

/** Keeps Tab within the popup, which is at the end of the page, far from the element that opened it. */
function keepFocus(event) {
  const stops = [...layer.popup.querySelectorAll("button:not(:disabled), [tabindex]")];
  const at = stops.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
  event.preventDefault();
  stops[(at + stops.length) % stops.length]?.focus();
}

export const popupOf = (kind, props, ...children) => h("div", { class: `popup ${kind}`, ...props }, ...children);
