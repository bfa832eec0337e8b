// What is asked before a message is deleted or a thread opened: a popup at the message's tools.

import { h } from "./dom.js";
import { closeLayer, openLayer, popupOf } from "./layer.js";
import { api, attempt } from "./rest.js";
import { tell } from "./signals.js";
import { learnChannel } from "./state.js";
import { say } from "./texts.js";

const MAX_NAME = 100;

const pathOf = (message) => `/channels/${message.channel_id}/messages/${message.id}`;

const remove = (message) => attempt(() => api("DELETE", pathOf(message))).then(() => tell("box"));

/** Deletes a message after a question; holding Shift skips it, as on Discord. */
export function askToDelete(anchor, message, { isSure = false } = {}) {
  if (isSure) return remove(message);
  const confirm = h("button", {
    class: "button s4", type: "button", onclick: () => { closeLayer(); remove(message); },
  }, say("Delete"));
  const keep = h("button", { class: "button s2", type: "button", onclick: () => closeLayer() }, say("Cancel"));
  openLayer(anchor, popupOf("question", { role: "alertdialog", "aria-label": say("Delete this message?") },
    h("p", {}, say("Delete this message?")), h("div", { class: "question-foot" }, keep, confirm)));
  confirm.focus();
  return undefined;
}

/** Asks for a name, and opens a thread from a message. */
export function askForThread(anchor, message, suggested) {
  const name = h("input", {
    type: "text", tabindex: "0", required: true, maxlength: String(MAX_NAME), "aria-label": say("Name of the thread"),
    placeholder: say("Name of the thread"), value: suggested.slice(0, MAX_NAME),
  });
  const create = async (event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    closeLayer();
    await attempt(async () => {
      const thread = await api("POST", `${pathOf(message)}/threads`, { name: name.value.trim() });
      learnChannel(thread);
      tell("open", thread.id);
    });
  };
  openLayer(anchor, popupOf("question", { role: "dialog", "aria-label": say("Create a thread") },
    h("form", { onsubmit: create }, h("p", {}, say("Create a thread")), name,
      h("div", { class: "question-foot" }, h("button", { class: "button s1", type: "submit" }, say("Create"))))));
  name.focus();
  name.select();
}
