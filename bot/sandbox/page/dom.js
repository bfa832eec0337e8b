// Builds elements, and looks up those of index.html. Text from people and the bot becomes text nodes only.

import { say } from "./texts.js";

/** The elements of index.html, by id. */
export const ui = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

/** Builds an element; strings among the children become text nodes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  const isShown = (child) => child !== null && child !== undefined && child !== false;
  element.append(...children.flat(Infinity).filter(isShown));
  return element;
}

const ICONS = {
  apps: "M4 4h7v7H4zm9 0h7v7h-7zM4 13h7v7H4zm9 0h7v7h-7z",
  bulb: "M9 21h6v-1.5H9zM12 2a7 7 0 0 0-4 12.7V17h8v-2.3A7 7 0 0 0 12 2zm2.2 11.5-.7.5v1h-3v-1l-.7-.5a4.7 4.7 0 1 1 4.4 0z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  thread: "M4 4h2v7a3 3 0 0 0 3 3h7.2l-2.6-2.6L15 10l5 5-5 5-1.4-1.4 2.6-2.6H9a5 5 0 0 1-5-5z",
  menu: "M3 6h18v2H3zm0 5h18v2H3zm0 5h18v2H3z",
  send: "M3 20.5 22 12 3 3.5 3 10l12 2-12 2z",
  smile: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 18a8 8 0 1 1 0-16 8 8 0 0 1 0 16z"
    + "M8.5 11a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zm7 0a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z"
    + "M7 13.5h10a5 5 0 0 1-10 0z",
  reply: "M10 9V5l-7 7 7 7v-4.1c5 0 8.5 1.6 11 5.1-1-5-4-10-11-11z",
  bin: "M6 19a2 2 0 0 0 2 2h8a2 2 0 0 0 2-2V8H6zM15.5 4l-1-1h-5l-1 1H5v2h14V4z",
  file: "M6 2h8l6 6v14H4V4a2 2 0 0 1 2-2zm7 1.5V9h5.5z",
  chevron: "M7.4 8.6 12 13.2l4.6-4.6L18 10l-6 6-6-6z",
  download: "M19 9h-4V3H9v6H5l7 7zM5 18v2h14v-2z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
  eye: "M12 5C6.5 5 2.7 9.4 1.5 12c1.2 2.6 5 7 10.5 7s9.3-4.4 10.5-7C21.3 9.4 17.5 5 12 5z"
    + "m0 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9zm0-2.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  pen: "M3 17.2V21h3.8L17.8 9.9 14.1 6.2zM20.7 7c.4-.4.4-1 0-1.4l-2.3-2.3c-.4-.4-1-.4-1.4 0l-1.8 1.8 3.7 3.7z",
  left: "M15.4 7.4 14 6l-6 6 6 6 1.4-1.4L10.8 12z",
  right: "M8.6 16.6 10 18l6-6-6-6-1.4 1.4L13.2 12z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export const iconButton = (name, label, props = {}) =>
  h("button", { class: "icon", type: "button", "aria-label": label, title: label, ...props }, icon(name));

/** Shows an error message for a while. */
export function toast(text) {
  const dismiss = iconButton("close", say("Dismiss"), { onclick: () => item.remove() });
  const item = h("div", { class: "toast" }, h("span", {}, text), dismiss);
  ui.toasts.append(item);
  while (ui.toasts.children.length > 4) ui.toasts.firstChild.remove();
  setTimeout(() => item.remove(), 8_000);
}

/** Announces a text to screen readers, once, without showing it. */
export function announce(text) {
  ui.announcer.append(h("p", {}, text));
  while (ui.announcer.children.length > 5) ui.announcer.firstChild.remove();
}

/** Describes where the focus is within a message, so that it can be restored after a redraw. */
export function placeOfFocus() {
  const element = document.activeElement;
  const message = element?.closest("[data-id]")?.dataset.id;
  const key = element?.dataset.key;
  const twin = () => message && key && document.querySelector(`[data-id="${message}"] [data-key="${CSS.escape(key)}"]`);
  const restore = () => {
    for (const one of [element?.isConnected ? element : twin(), ui.box]) {
      one?.focus({ preventScroll: true });
      if (one && document.activeElement === one) return; // what is disabled by now takes no focus
    }
  };
  return { restore };
}
