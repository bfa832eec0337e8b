// Emoji under a message, and the picker that adds one.

import { h, icon } from "./dom.js";
import { emojiKey } from "./history.js";
import { closeLayer, openLayer, popupOf } from "./layer.js";
import { api, attempt } from "./rest.js";
import { nameOf } from "./state.js";
import { say } from "./texts.js";

const QUICK_EMOJI = ["👍", "👎", "❤️", "😂", "🎉", "🤔", "👀", "✅"];

const pathOf = (message, emoji) =>
  `/channels/${message.channel_id}/messages/${message.id}/reactions/${encodeURIComponent(emojiKey(emoji))}`;

const react = (message, emoji, isMine) =>
  attempt(() => api(isMine ? "DELETE" : "PUT", `${pathOf(message, emoji)}/@me`));

export function renderReactions(message) {
  const pills = (message.reactions ?? []).map((reaction) => renderPill(message, reaction));
  if (pills.length) pills.push(h("button", {
    class: "reaction add", type: "button", "aria-label": say("Add a reaction"), data: { key: "add reaction" },
    onclick: ({ currentTarget }) => pickEmoji(currentTarget, message),
  }, icon("smile")));
  return pills;
}

function renderPill(message, { emoji, count, me }) {
  const reactions = count === 1 ? say("1 reaction") : say("{n} reactions", { n: count });
  const people = `${reactions}${me ? say(", yours among them") : ""}`;
  const pill = h("button", {
    class: "reaction", type: "button", "aria-pressed": String(Boolean(me)), "aria-label": `${emoji.name}, ${people}`,
    data: { key: `reaction ${emoji.name}`, emoji: emoji.name }, onclick: () => react(message, emoji, me),
  }, h("span", { class: "emoji" }, emoji.name), h("span", { class: "count" }, String(count)));
  const tellWho = async () => {
    const users = await api("GET", `${pathOf(message, emoji)}?limit=25`).catch(() => []);
    pill.title = users.map(nameOf).join(", ");
  };
  pill.addEventListener("mouseenter", tellWho, { once: true });
  return pill;
}

export function pickEmoji(anchor, message) {
  const choose = (name) => {
    closeLayer();
    const isMine = message.reactions?.some((reaction) => reaction.emoji.name === name && reaction.me);
    if (!isMine) react(message, { name }, false);
  };
  const buttons = QUICK_EMOJI.map((name) =>
    h("button", { type: "button", "aria-label": say("React with {name}", { name }), onclick: () => choose(name) }, name));
  const picker = popupOf("emoji-picker", { role: "group", "aria-label": say("Choose a reaction") }, buttons);
  picker.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
    const at = buttons.indexOf(document.activeElement);
    if (step) buttons[(at + step + buttons.length) % buttons.length].focus();
  });
  openLayer(anchor, picker);
  buttons[0].focus();
}
