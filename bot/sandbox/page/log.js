// The list of messages and its scroll position.

import { h, placeOfFocus, toast, ui } from "./dom.js";
import { isEditing } from "./editing.js";
import { exampleChips } from "./examples.js";
import { loadHistory, logOf } from "./history.js";
import { closeOnScroll } from "./layer.js";
import { renderBody, shouldGroup } from "./message.js";
import { renderReactions } from "./reactions.js";
import { channelKey, channelName, FLAG, hasFlag, isDirect, nameOf, state } from "./state.js";
import { example, say } from "./texts.js";
import { createdAt, dayOf, formats, isOlder, sayWhen } from "./times.js";

const ABOUT = {
  support: say("Type a sentence with [MASK] where a word is missing, such as “{example}”, and press Enter. "
    + "Vote 👍 or 👎 on the bold word of the answer: a better model learns from the votes.",
  { example: example("Nike shoes are very [MASK]") }),
  reports: say(
    "Every morning I post here what the nightly run learnt from your votes, and whether a new model answers now.",
  ),
  "@me": say("This is your direct conversation with fillbot. Only you can read it. Type a sentence with [MASK] where a "
    + "word is missing, or !help for all commands."),
};

const rows = new Map(); // message id → {element, bodyStamp, reactionStamp}
const dividers = new Map(); // text → element
let startCard = null;
let isPinned = true; // the newest message is in view, and stays so
let lastTop = 0;
let unseen = 0;

/** Clears the list, because another person sees other messages. */
export function clearLog() {
  rows.clear();
  dividers.clear();
}

/** Creates or updates a message's row, replacing only the changed parts and keeping the focus. */
function rowOf(message, isGrouped) {
  const bodyStamp = `${message.revision ?? 0} ${isGrouped} ${isEditing(message)}`;
  const reactionStamp = JSON.stringify(message.reactions ?? []);
  let row = rows.get(message.id);
  if (row && row.bodyStamp === bodyStamp && row.reactionStamp === reactionStamp) return row.element;
  row ??= { element: h("article", { class: "message", data: { id: message.id } }) };
  const place = row.element.contains(document.activeElement) ? placeOfFocus() : null;
  if (row.bodyStamp !== bodyStamp) {
    const isMention = message.mentions?.some((user) => user.id === state.me?.id);
    const kinds = { grouped: isGrouped, private: hasFlag(message, FLAG.EPHEMERAL), pinged: isMention };
    for (const [kind, is] of Object.entries(kinds)) row.element.classList.toggle(kind, Boolean(is));
    row.element.setAttribute("aria-label", `${nameOf(message.author)}, ${sayWhen(createdAt(message.id))}`);
    row.element.replaceChildren(...renderBody(message, isGrouped));
  }
  row.element.querySelector(".reactions").replaceChildren(...renderReactions(message));
  if (row.element.isConnected) place?.restore();
  rows.set(message.id, Object.assign(row, { bodyStamp, reactionStamp }));
  return row.element;
}

function renderStart(channel) {
  const about = ABOUT[channelKey(channel)] ?? channel.topic ?? say("Type !fill and a sentence with [MASK] where a word is missing.");
  const hasExamples = channelKey(channel) !== "reports";
  return h("section", { class: "start", "aria-label": say("Start of the conversation") },
    h("h2", {}, isDirect(channel) ? channelName(channel) : say("Welcome to #{channel}", { channel: channelName(channel) })),
    h("p", {}, about),
    hasExamples && [h("p", { class: "muted" }, say("Try one of these:")), exampleChips()]);
}

function divider(text, kind = "") {
  const key = `${kind} ${text}`;
  if (!dividers.has(key)) {
    const line = h("div", { class: `divider ${kind}`, role: "separator", "aria-label": text }, h("span", {}, text));
    dividers.set(key, line);
  }
  return dividers.get(key);
}

function headOf(channel, log) {
  const loading = () => h("p", { class: "loading muted" }, say("Loading messages…"));
  if (!log.isComplete) return ui.log.querySelector(".loading") ?? loading();
  const key = `${state.token} ${channel.id}`;
  if (startCard?.key !== key) startCard = { key, element: renderStart(channel) };
  return startCard.element;
}

export function renderLog() {
  const channel = state.channels.get(state.current);
  if (!channel) return ui.log.replaceChildren();
  const log = logOf(channel.id);
  const wanted = [headOf(channel, log)];
  let previous = null;
  for (const message of log.messages) {
    const at = createdAt(message.id);
    const isNewDay = !previous || dayOf(createdAt(previous.id)) !== dayOf(at);
    const isFirstUnread = message.id === log.firstUnread;
    if (isNewDay) wanted.push(divider(formats.longDate.format(at)));
    if (isFirstUnread) wanted.push(divider(say("New"), "unread"));
    wanted.push(rowOf(message, !isNewDay && !isFirstUnread && shouldGroup(message, previous)));
    previous = message;
  }
  const kept = new Set(wanted);
  const hadFocus = ui.log.contains(document.activeElement);
  for (const element of [...ui.log.children]) if (!kept.has(element)) element.remove();
  let cursor = ui.log.firstChild;
  for (const element of wanted) {
    if (element === cursor) cursor = cursor.nextSibling;
    else ui.log.insertBefore(element, cursor);
  }
  if (hadFocus && document.activeElement === document.body) ui.box.focus({ preventScroll: true }); // it was deleted
  if (isPinned) scrollToNewest();
}

export function scrollToNewest() {
  ui.scroller.scrollTop = ui.scroller.scrollHeight;
  unseen = 0;
  isPinned = true;
  ui.newest.hidden = true;
}

/** Counts a message that arrives while the list is scrolled up; the person's own scrolls to the end. */
export function noticeMessage({ isMine }) {
  if (isMine) isPinned = true;
  if (!isPinned) unseen += 1;
  showUnseen();
}

function showUnseen() {
  ui.newest.hidden = isPinned;
  const news = unseen === 1 ? say("1 new message · ") : say("{n} new messages · ", { n: unseen });
  ui.newest.textContent = `${unseen ? news : ""}${say("Jump to newest")}`;
}

/** Scrolls to a message of this channel, loading older pages until it is found. */
export async function showMessage(id) {
  const log = logOf(state.current);
  const isMissing = () => !log.isComplete && (!log.messages.length || isOlder(id, log.messages[0].id));
  for (let known = -1; isMissing() && log.messages.length > known;) {
    known = log.messages.length;
    await loadOlder();
  }
  const element = rows.get(id)?.element;
  if (!element?.isConnected) return toast(say("That message is not here any more."));
  isPinned = false;
  element.scrollIntoView({ block: "center" });
  element.classList.add("flash");
  return setTimeout(() => element.classList.remove("flash"), 1500);
}

/** Loads older messages above and keeps the scroll position. */
async function loadOlder() {
  const log = logOf(state.current);
  if (log.isComplete || !log.isLoaded) return;
  const anchor = rows.get(log.messages[0]?.id)?.element;
  await loadHistory(state.current, { older: true });
  const before = anchor?.getBoundingClientRect().top;
  renderLog();
  if (anchor?.isConnected && !isPinned) ui.scroller.scrollTop += anchor.getBoundingClientRect().top - before;
}

ui.scroller.addEventListener("scroll", () => {
  const { scrollTop, scrollHeight, clientHeight } = ui.scroller;
  if (scrollHeight - scrollTop - clientHeight < 48) isPinned = true;
  else if (scrollTop < lastTop) isPinned = false; // only a person scrolls up; pictures merely make the log longer
  lastTop = scrollTop;
  if (isPinned) unseen = 0;
  showUnseen();
  closeOnScroll();
  if (scrollTop < 300 && state.current) loadOlder();
}, { passive: true });
new ResizeObserver(() => isPinned && scrollToNewest()).observe(ui.log);
new ResizeObserver(() => isPinned && scrollToNewest()).observe(ui.scroller);
ui.newest.addEventListener("click", () => {
  scrollToNewest();
  ui.box.focus();
});
