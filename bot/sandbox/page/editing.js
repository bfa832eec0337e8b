// Edits a message in place: Enter saves, Escape cancels.

import { askToDelete } from "./actions.js";
import { h, ui } from "./dom.js";
import { findMessage, logOf, touch } from "./history.js";
import { fromWire, toWire } from "./mentions.js";
import { api, attempt } from "./rest.js";
import { tell } from "./signals.js";
import { FLAG, hasFlag, state } from "./state.js";
import { say } from "./texts.js";

export const isEditing = (message) => state.editing?.id === message.id;

export function mayEdit(message) {
  return message.author.id === state.me?.id && !hasFlag(message, FLAG.EPHEMERAL) && Boolean(message.content);
}

export function startEditing(message) {
  stopEditing();
  state.editing = { id: message.id, channelId: message.channel_id, text: fromWire(message.content) };
  redraw(message);
  const editor = document.querySelector(".editor textarea");
  editor?.focus();
  editor?.setSelectionRange(editor.value.length, editor.value.length);
  editor?.scrollIntoView({ block: "nearest" });
}

/** Edits the person's own newest message in the open channel; returns whether one exists. */
export function editNewest() {
  const message = logOf(state.current).messages.findLast(mayEdit);
  if (message) startEditing(message);
  return Boolean(message);
}

export function stopEditing() {
  if (!state.editing) return;
  const message = findMessage(state.editing.channelId, state.editing.id);
  state.editing = null;
  if (message) redraw(message);
}

function redraw(message) {
  touch(message);
  tell("log");
}

async function save(message, text) {
  if (!text.trim()) return askToDelete(document.querySelector(".editor textarea"), message);
  const content = toWire(text.trim());
  const path = `/channels/${message.channel_id}/messages/${message.id}`;
  if (content !== message.content && !(await attempt(() => api("PATCH", path, { content })))) return undefined;
  stopEditing();
  return ui.box.focus();
}

export function renderEditor(message) {
  const box = h("textarea", {
    rows: "1", "aria-label": say("Edit your message"), maxlength: "2000", data: { key: "editor" },
  });
  box.value = state.editing.text;
  const cancel = () => {
    stopEditing();
    ui.box.focus();
  };
  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  };
  box.addEventListener("input", () => {
    state.editing.text = box.value;
    grow();
  });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key) || event.shiftKey) return;
    event.preventDefault();
    if (event.key === "Enter") save(message, box.value);
    else cancel();
  });
  queueMicrotask(grow);
  const button = (label, onclick) => h("button", { class: "plain", type: "button", onclick }, label);
  return h("div", { class: "editor" }, box, h("p", { class: "muted" },
    say("escape to "), button(say("cancel"), cancel),
    say(" · enter to "), button(say("save"), () => save(message, box.value))));
}
