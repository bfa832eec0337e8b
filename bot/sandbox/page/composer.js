// The message box, and sending what it holds.

import { hasFile, withFile } from "./attaching.js";
import { announce, h, icon, iconButton, toast, ui } from "./dom.js";
import { editNewest } from "./editing.js";
import { insertMessage } from "./history.js";
import { interact } from "./interactions.js";
import { scrollToNewest } from "./log.js";
import { toWire } from "./mentions.js";
import { api, attempt } from "./rest.js";
import { tell } from "./signals.js";
import { readSlash, slashData } from "./slash.js";
import { bot, channelKey, FLAG, nameOf, state } from "./state.js";
import { accept, hideSuggestions, isActive, isOffering, moveActive, suggest } from "./suggestions.js";
import { say } from "./texts.js";
import { makeNonce } from "./times.js";

const MAX_CHARS = 2000;
const COUNT_FROM = 200; // characters left
const TYPING_EVERY_MS = 8_000;

const drafts = new Map(); // "person channel" → text
let lastTypingAt = 0;

const draftKey = () => `${state.token} ${channelKey(state.channels.get(state.current))}`;

export function keepDraft() {
  if (state.channels.has(state.current)) drafts.set(draftKey(), ui.box.value);
}

/** Puts the open channel's draft into the box, unless something was typed before any channel was open. */
export function takeDraft(typed = "") {
  ui.box.value = typed || (drafts.get(draftKey()) ?? "");
}

export function putInBox(text) {
  ui.box.value = text;
  ui.box.focus();
  ui.box.setSelectionRange(text.length, text.length);
  boxChanged();
}

export function boxChanged() {
  ui.box.style.height = "auto";
  ui.box.style.height = `${Math.min(ui.box.scrollHeight, innerHeight * 0.4)}px`;
  const left = MAX_CHARS - ui.box.value.length;
  const wasOver = ui.counter.classList.contains("over");
  ui.counter.textContent = left <= COUNT_FROM ? String(left) : "";
  ui.counter.classList.toggle("over", left < 0);
  if (left < 0 && !wasOver) announce(say("Too long: a message holds {most} characters.", { most: MAX_CHARS }));
  ui.send.disabled = (ui.box.value.trim() === "" && !hasFile()) || left < 0;
  suggest();
}

export function startReply(message) {
  state.replyTo = message;
  renderReplying();
  ui.box.focus();
}

export function renderReplying() {
  const message = state.replyTo;
  ui.replying.hidden = !message;
  if (!message) return ui.replying.replaceChildren();
  return ui.replying.replaceChildren(
    h("span", {}, say("Replying to "), h("strong", {}, nameOf(message.author))),
    iconButton("close", say("Cancel the reply"), { onclick: cancelReply }));
}

function cancelReply() {
  state.replyTo = null;
  renderReplying();
  ui.box.focus();
}

async function sendBox() {
  const text = ui.box.value.trim();
  if (!text && !hasFile()) return;
  const { length } = ui.box.value;
  if (length > MAX_CHARS) {
    return toast(say("A message holds {most} characters; this one has {length}.", { most: MAX_CHARS, length }));
  }
  if (!state.current) return toast(say("Not connected yet. Your text stays in the box."));
  const slash = readSlash(text);
  if (!slash && /^\/[a-z]/.test(text) && state.commands.length) {
    return toast(say("There is no command {command}. Type / to see all.", { command: text.split(/\s/)[0] }));
  }
  const channelId = state.current;
  let send;
  try {
    send = slash ? prepareSlash(slash, channelId) : prepareMessage(text, channelId);
  } catch (error) {
    return toast(error.message);
  }
  state.replyTo = null;
  lastTypingAt = 0;
  putInBox("");
  renderReplying();
  scrollToNewest();
  const worked = await send();
  if (!worked && ui.box.value === "" && state.current === channelId) putInBox(text);
  return undefined;
}

function prepareMessage(text, channelId) {
  const reply = state.replyTo;
  const reference = reply ? { message_id: reply.id, channel_id: channelId } : undefined;
  const body = { content: toWire(text), nonce: makeNonce(), message_reference: reference };
  const sent = withFile(body);
  return () => attempt(() => api("POST", `/channels/${channelId}/messages`, sent));
}

function prepareSlash(slash, channelId) {
  const data = slashData(slash);
  const mark = (outcome) => {
    if (outcome !== "failed") return;
    const author = bot() ?? state.me;
    const values = { bot: nameOf(author), command: slash.command.words };
    const content = say("{bot} did not answer /{command}. Is it running?", values);
    insertMessage({ id: makeNonce(), channel_id: channelId, author, flags: FLAG.EPHEMERAL, content, isLocal: true });
    tell("log");
  };
  return () => interact(2, { channelId, applicationId: slash.command.application ?? bot()?.id, data, mark });
}

function pressEnter() {
  const slash = readSlash(ui.box.value);
  const isReady = slash && !slash.hasSpace && !slash.command.options.some((option) => option.required);
  if (isActive() && !isReady) accept();
  else sendBox();
}

/** Handles a key in the box; null leaves it to the browser. */
function actionOf({ key, shiftKey, altKey }) {
  if (altKey) return null;
  const isOpen = isOffering();
  if (isOpen && key === "ArrowDown") return () => moveActive(1);
  if (isOpen && key === "ArrowUp") return () => moveActive(-1);
  if (isOpen && key === "Tab" && !shiftKey) return accept;
  if (key === "Enter" && !shiftKey) return pressEnter;
  if (key === "Escape" && !ui.suggestions.hidden) return hideSuggestions;
  if (key === "Escape" && state.replyTo) return cancelReply;
  if (key === "ArrowUp" && ui.box.value === "") return editNewest;
  const page = { PageUp: -1, PageDown: 1 }[key];
  return page ? () => ui.scroller.scrollBy({ top: page * ui.scroller.clientHeight * 0.8 }) : null;
}

ui.box.addEventListener("keydown", (event) => {
  const action = event.isComposing ? null : actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});
ui.box.addEventListener("input", () => {
  boxChanged();
  const isCommand = ui.box.value.startsWith("/");
  if (!ui.box.value || isCommand || Date.now() - lastTypingAt < TYPING_EVERY_MS || !state.current) return;
  lastTypingAt = Date.now();
  api("POST", `/channels/${state.current}/typing`).catch(() => null);
});
ui.composer.addEventListener("attached", boxChanged);
ui.box.addEventListener("blur", hideSuggestions);
ui.box.addEventListener("focus", suggest);
ui.send.append(icon("send"));
ui.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  sendBox();
});
