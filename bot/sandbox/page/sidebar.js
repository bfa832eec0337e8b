// Around the messages: channels, people, the header, the typing indicator and the connection state.

import { avatar } from "./avatars.js";
import { h, icon, ui } from "./dom.js";
import { tell } from "./signals.js";
import {
  bot, capitalised, channelKey, channelName, isDirect, isThread, nameOf, orderedChannels, partnerOf, PEOPLE, state,
} from "./state.js";
import { say } from "./texts.js";

function renderChannel(channel) {
  const count = state.unread.get(channel.id);
  const sign = h("span", { class: "hash", "aria-hidden": "true" }, isThread(channel) ? "↳" : "#");
  return h("button", {
    class: `channel${count ? say(" unread") : ""}${isThread(channel) ? " thread" : ""}`, type: "button",
    "aria-current": channel.id === state.current && "page", data: { channel: channelKey(channel) },
    onclick: () => tell("open", channel.id),
  },
  isDirect(channel) ? avatar(partnerOf(channel) ?? { username: "?" }, "small") : sign,
  h("span", { class: "channel-label" }, channelName(channel)),
  count && h("span", { class: "count" }, String(count), h("span", { class: "hidden" }, say(" unread"))));
}

export function renderSidebar() {
  const all = orderedChannels();
  const focused = ui.channels.contains(document.activeElement) ? document.activeElement.dataset.channel : null;
  const group = (title, channels) =>
    channels.length ? [h("h2", { class: "group" }, title), ...channels.map(renderChannel)] : [];
  ui["guild-name"].textContent = state.guild?.name ?? say("fillbot sandbox");
  ui.channels.replaceChildren(
    ...group(say("Channels"), all.filter((channel) => !isDirect(channel))),
    ...group(say("Direct messages"), all.filter(isDirect)));
  if (focused) ui.channels.querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
  const total = [...state.unread.values()].reduce((sum, count) => sum + count, 0);
  const channel = state.channels.get(state.current);
  const place = channel ? `${isDirect(channel) ? "@" : "#"}${channelName(channel)} · ` : "";
  document.title = `${total ? `(${total}) ` : ""}${place}${say("fillbot sandbox")}`;
}

/** Draws the list of people; `become` is called with the name of the selected one. */
export function renderPeople(become) {
  ui.people.replaceChildren(...PEOPLE.map((name) => {
    const choose = () => become(name);
    const input = h("input", { type: "radio", name: "person", value: name, class: "hidden", onchange: choose });
    return h("label", { class: "person" }, input, avatar({ id: name, username: name }, "small"),
      h("span", {}, capitalised(name)), name === PEOPLE[0] && h("span", { class: "badge admin" }, say("ADMIN")));
  }));
}

export function renderHeader() {
  const channel = state.channels.get(state.current);
  if (!channel) return;
  ui["channel-name"].replaceChildren(isDirect(channel) ? "@ " : "# ", channelName(channel));
  ui.topic.textContent = channel.topic ?? "";
  const robot = bot();
  const isOnline = robot && state.online.has(robot.id);
  const name = robot ? nameOf(robot) : say("The bot");
  const presence = isOnline ? say("{name} is online", { name }) : say("{name} is offline", { name });
  ui.presence.className = `presence ${isOnline ? "online" : "offline"}`;
  if (ui.presence.textContent !== presence) ui.presence.textContent = presence; // else it is read aloud again
  const place = `${isDirect(channel) ? "@" : "#"}${channelName(channel)}`;
  const label = say("Message {place} as {person}", { place, person: capitalised(state.token) });
  ui["box-label"].textContent = label;
  ui.box.placeholder = label;
}

export function renderTyping() {
  const now = Date.now();
  const isTyping = ([id, until]) => until > now && id !== state.me?.id;
  const names = [...(state.typing.get(state.current) ?? [])].filter(isTyping)
    .map(([id]) => nameOf(state.users.get(id) ?? { username: say("someone") }));
  const joined = { names: names.join(say(" and ")) };
  const some = names.length > 1 ? say("{names} are typing…", joined) : say("{names} is typing…", joined);
  const text = names.length === 0 ? "" : names.length > 3 ? say("Several people are typing…") : some;
  if (ui.typing.dataset.text === text) return;
  ui.typing.dataset.text = text;
  const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  ui.typing.replaceChildren(...(text ? [dots, text] : []));
}
setInterval(renderTyping, 1_000);

export function showConnection(status) {
  const refused = say("The server does not know {person}.", { person: capitalised(state.token) });
  ui.banner.textContent = { lost: say("Connection lost. Trying again…"), refused }[status] ?? "";
  ui.banner.hidden = !ui.banner.textContent;
}

const narrow = matchMedia("(max-width: 760px)");

/** Hides or shows the channels; on a wide window they are always visible. */
function unfold(isOpen) {
  ui.app.classList.toggle("open", isOpen);
  ui.scrim.hidden = !isOpen;
  ui.main.inert = isOpen;
  ui.menu.setAttribute("aria-expanded", String(isOpen));
}

export const isUnfolded = () => ui.app.classList.contains("open");

export function foldSidebar({ toMenu = false } = {}) {
  if (!isUnfolded()) return;
  unfold(false);
  if (toMenu) ui.menu.focus();
}

ui.menu.append(icon("menu"));
ui.menu.addEventListener("click", () => {
  unfold(true);
  (ui.channels.querySelector("[aria-current]") ?? ui.channels.querySelector("button"))?.focus();
});
ui.scrim.addEventListener("click", () => foldSidebar({ toMenu: true }));
narrow.addEventListener("change", () => foldSidebar());
