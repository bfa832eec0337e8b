// The state of the page as one person sees it; reset when the person changes.

import { say } from "./texts.js";
import { isOlder } from "./times.js";

export const PEOPLE = ["ada", "ben", "cleo"]; // a person's token is the name
export const FLAG = { HAS_THREAD: 1 << 5, EPHEMERAL: 1 << 6, LOADING: 1 << 7 };
const MAY_MANAGE = 0x28n; // administrator, manage guild

const freshState = (token) => ({
  token,
  me: null,
  session: null,
  guild: null,
  channels: new Map(), // id → channel
  users: new Map(), // id → user
  members: new Map(), // user id → member
  roles: new Map(), // id → role
  online: new Set(), // user ids
  logs: new Map(), // channel id → {messages, isComplete, isLoaded, loading, firstUnread}
  current: null, // id of the channel that is shown
  messageCommands: [], // what can be used on a message
  commands: [], // what can be typed after the slash, subcommands spelled out
  typing: new Map(), // channel id → Map(user id → until, ms)
  unread: new Map(), // channel id → count
  choices: new Map(), // "message:custom id" → values chosen in a menu
  waiting: new Map(), // nonce → an interaction that has not been answered
  replyTo: null, // a message
  editing: null, // {id, text} of the message that is being edited
});

export let state = freshState(PEOPLE[0]);

/** Resets the state for the person with this token. */
export function resetState(token) {
  state = freshState(token);
}

export const capitalised = (name) => name[0].toUpperCase() + name.slice(1);
export const bot = () => [...state.users.values()].find((user) => user.bot);
export const nameOf = (user) => state.members.get(user.id)?.nick || user.global_name || user.username;
export const isDirect = (channel) => channel.type === 1;
export const isThread = (channel) => [10, 11, 12].includes(channel.type);
export const hasFlag = (message, flag) => Boolean((message.flags ?? 0) & flag);

export const partnerOf = (channel) =>
  channel.recipients?.find((user) => user.id !== state.me?.id) ?? channel.recipients?.[0];

export const channelName = (channel) =>
  isDirect(channel) ? nameOf(partnerOf(channel) ?? { username: say("direct message") }) : channel.name;

export const channelKey = (channel) => (isDirect(channel) ? "@me" : isThread(channel) ? channel.id : channel.name);
export const guildOf = (channel) => (channel && !isDirect(channel) ? state.guild?.id : undefined);

export function isAdmin(user) {
  const held = state.members.get(user.id)?.roles ?? [];
  const may = held.some((id) => BigInt(state.roles.get(id)?.permissions ?? 0) & MAY_MANAGE);
  return !user.bot && (may || state.guild?.owner_id === user.id);
}

export function learnUser(user, member) {
  if (!user) return;
  state.users.set(user.id, { ...state.users.get(user.id), ...user });
  if (member) state.members.set(user.id, { ...state.members.get(user.id), ...member });
}

export function learnChannel(channel) {
  state.channels.set(channel.id, { ...state.channels.get(channel.id), ...channel });
  for (const user of channel.recipients ?? []) learnUser(user);
}

/** Channels in the guild's order, threads under theirs, then direct messages. */
export function orderedChannels() {
  const byPlace = (a, b) => (a.position ?? 0) - (b.position ?? 0) || (isOlder(a.id, b.id) ? -1 : 1);
  const all = [...state.channels.values()].sort(byPlace);
  const threads = all.filter(isThread);
  const withThreads = (channel) => [channel, ...threads.filter((thread) => thread.parent_id === channel.id)];
  return [...all.filter(({ type }) => type === 0 || type === 5).flatMap(withThreads), ...all.filter(isDirect)];
}
