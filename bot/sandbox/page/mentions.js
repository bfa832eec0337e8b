// Converts between names as people type them, `@ada` and `#reports`, and as Discord sends them, `<@1>` and `<#2>`.

import { channelName, isDirect, nameOf, state } from "./state.js";

function nameables() {
  const users = [...state.users.values()]
    .map((user) => ({ typed: `@${user.username}`, wire: `<@${user.id}>`, more: nameOf(user) }));
  const channels = [...state.channels.values()]
    .filter((channel) => !isDirect(channel) && !/\s/.test(channelName(channel)))
    .map((channel) => ({ typed: `#${channelName(channel)}`, wire: `<#${channel.id}>`, more: channel.topic }));
  return [...users, ...channels];
}

const NAME = /(?<![^\s(])[@#][\w.-]*\w/g;

/** Turns the names in a text into mentions; leaves code alone. */
export function toWire(text) {
  const known = new Map(nameables().map(({ typed, wire }) => [typed.toLowerCase(), wire]));
  return text.split(/(`[^`]*`)/).map((part, index) =>
    index % 2 ? part : part.replace(NAME, (name) => known.get(name.toLowerCase()) ?? name)).join("");
}

/** Turns mentions back into names, for editing. */
export function fromWire(text) {
  return nameables().reduce((words, { typed, wire }) => words.replaceAll(wire, typed), text);
}

/** Returns the users or channels that match a name being typed at the end of a text. */
export function namesFor(text) {
  const start = /(?<![^\s(])[@#][\w.-]*$/.exec(text)?.[0].toLowerCase();
  if (!start) return [];
  const isBegun = (name) => name.startsWith(start) && name !== start;
  const before = text.slice(0, text.length - start.length);
  return nameables().filter(({ typed }) => isBegun(typed.toLowerCase())).slice(0, 10)
    .map((one) => ({ ...one, text: `${before}${one.typed} ` }));
}
