// The chat page of the sandbox: a small client of Discord's own protocol, REST under /api/v10 and the gateway under
// /gateway. This module starts it: who one is, which channel is open, and the keys that work everywhere.

import { boxChanged, keepDraft, putInBox, renderReplying, startReply, takeDraft } from "./composer.js";
import { ui } from "./dom.js";
import { stopEditing } from "./editing.js";
import { events } from "./events.js";
import { Gateway } from "./gateway.js";
import { loadHistory, logOf } from "./history.js";
import { closeLayer } from "./layer.js";
import { clearLog, renderLog, scrollToNewest, showMessage } from "./log.js";
import { api, attempt } from "./rest.js";
import {
  foldSidebar, isUnfolded, renderHeader, renderPeople, renderSidebar, renderTyping, showConnection,
} from "./sidebar.js";
import { on } from "./signals.js";
import { loadCommands } from "./slash.js";
import {
  bot, channelKey, isDirect, learnChannel, learnUser, orderedChannels, PEOPLE, resetState, state,
} from "./state.js";
import { translatePage } from "./texts.js";

const REMEMBERED_AS = "fillbot.person";

let gateway = null;
let wantedChannel = null; // name to open once the channels are known

async function openChannel(channelId) {
  const channel = state.channels.get(channelId);
  if (!channel) return;
  const typed = state.current ? "" : ui.box.value;
  if (state.current) {
    keepDraft();
    stopEditing();
    if (state.current !== channelId) logOf(state.current).firstUnread = null;
  }
  state.current = channelId;
  state.replyTo = null;
  wantedChannel = channelKey(channel);
  state.unread.delete(channelId);
  history.replaceState(null, "", `#${state.token}/${wantedChannel}`);
  takeDraft(typed);
  foldSidebar();
  for (const paint of [renderSidebar, renderHeader, renderLog, renderReplying, renderTyping, boxChanged]) paint();
  scrollToNewest();
  if (!matchMedia("(pointer: coarse)").matches && !ui.people.contains(document.activeElement)) ui.box.focus();
  if (!logOf(channelId).isLoaded) await loadHistory(channelId);
  if (state.current === channelId) renderLog();
}

function becomePerson(name) {
  if (state.current) {
    keepDraft();
    ui.box.value = "";
  }
  gateway?.close();
  for (const { timer } of state.waiting.values()) clearTimeout(timer);
  closeLayer({ isCancelled: true });
  if (ui.modal.open) ui.modal.close();
  resetState(name);
  clearLog();
  remember(name);
  history.replaceState(null, "", `#${name}/${wantedChannel ?? "support"}`);
  for (const radio of ui.people.querySelectorAll("input")) radio.checked = radio.value === name;
  gateway = new Gateway(name, receive, showConnection);
}

function receive(name, data) {
  if (name === "READY") meet(data);
  else if (name === "GUILD_CREATE") enterGuild(data);
  else events[name]?.(data);
}

function meet(data) {
  if (state.me) { // a new session after a drop that could not be resumed: everything is read again
    keepDraft();
    resetState(state.token);
    clearLog();
  }
  state.me = data.user;
  state.session = data.session_id;
  learnUser(data.user);
  for (const channel of data.private_channels ?? []) learnChannel(channel);
}

async function enterGuild(guild) {
  const world = state;
  state.guild = guild;
  for (const role of guild.roles ?? []) state.roles.set(role.id, role);
  for (const member of guild.members ?? []) learnUser(member.user, member);
  for (const channel of [...(guild.channels ?? []), ...(guild.threads ?? [])]) state.channels.set(channel.id, channel);
  const present = (guild.presences ?? []).filter(({ status }) => status !== "offline");
  state.online = new Set(present.map(({ user }) => user.id));
  loadCommands();
  const robot = bot();
  if (robot && ![...state.channels.values()].some(isDirect)) {
    await attempt(async () => learnChannel(await api("POST", "/users/@me/channels", { recipient_id: robot.id })));
  }
  if (world !== state) return;
  const all = orderedChannels();
  const wanted = all.find((channel) => channelKey(channel) === wantedChannel);
  const target = state.channels.get(state.current) ?? wanted ?? all[0];
  if (target) await openChannel(target.id);
}

function remember(name) {
  try {
    localStorage.setItem(REMEMBERED_AS, name);
  } catch { /* storage may be switched off; the address remembers too */ }
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED_AS);
  } catch {
    return null;
  }
}

function readAddress() {
  const [person, channel] = decodeURIComponent(location.hash.slice(1)).split("/");
  return { person: PEOPLE.includes(person) ? person : null, channel: channel || null };
}

/** Marks the open channel as read. */
function markRead() {
  if (!state.current || document.hidden || !state.unread.delete(state.current)) return;
  renderSidebar();
}

function pressEscape() {
  if (isUnfolded()) return foldSidebar({ toMenu: true });
  if (state.current) logOf(state.current).firstUnread = null;
  renderLog();
  scrollToNewest();
  return ui.box.focus();
}

function switchChannel(step) {
  const all = orderedChannels();
  const at = all.findIndex(({ id }) => id === state.current);
  openChannel(all[(at + step + all.length) % all.length]?.id);
}

on("log", renderLog);
on("open", openChannel);
on("show", showMessage);
on("write", putInBox);
on("reply", startReply);
on("box", () => ui.box.focus());

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || ui.modal.open || ui.lightbox.open) return;
  const { key } = event;
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (key === "Escape") pressEscape();
  else if (event.altKey && (key === "ArrowUp" || key === "ArrowDown")) {
    event.preventDefault();
    switchChannel(key === "ArrowUp" ? -1 : 1);
  } else if (isPlain && key.length === 1 && key !== " " && !document.activeElement.matches("textarea, ul")) {
    ui.box.focus(); // typing anywhere goes to the box, as people are used to
  }
});
addEventListener("hashchange", () => {
  const { person, channel } = readAddress();
  wantedChannel = channel ?? wantedChannel;
  if (person && person !== state.token) return becomePerson(person);
  const target = orderedChannels().find((one) => channelKey(one) === channel);
  if (target && target.id !== state.current) openChannel(target.id);
});
addEventListener("visibilitychange", markRead);
addEventListener("pagehide", () => gateway?.close());
addEventListener("pageshow", ({ persisted }) => persisted && becomePerson(state.token));

translatePage();
const address = readAddress();
wantedChannel = address.channel;
renderPeople(becomePerson);
becomePerson(address.person ?? (PEOPLE.includes(remembered()) ? remembered() : PEOPLE[0]));
boxChanged();
