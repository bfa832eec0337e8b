// The messages of every channel, oldest first.

import { toast } from "./dom.js";
import { api } from "./rest.js";
import { learnUser, state } from "./state.js";
import { isOlder } from "./times.js";

const FIRST_PAGE = 100;
const PAGE_OF_HISTORY = 50;

export function logOf(channelId) {
  if (!state.logs.has(channelId)) {
    const unloaded = { messages: [], isComplete: false, isLoaded: false, loading: null, firstUnread: null };
    state.logs.set(channelId, unloaded);
  }
  return state.logs.get(channelId);
}

export const findMessage = (channelId, id) => logOf(channelId).messages.find((message) => message.id === id);

export function insertMessage(message) {
  learnUser(message.author, message.member);
  const { messages } = logOf(message.channel_id);
  let at = messages.length;
  while (at > 0 && isOlder(message.id, messages[at - 1].id)) at -= 1;
  const known = messages[at - 1];
  if (known?.id === message.id) messages[at - 1] = { ...message, revision: (known.revision ?? 0) + 1 };
  else messages.splice(at, 0, message);
}

/** Marks a message as changed, so that it is redrawn. */
export function touch(message) {
  message.revision = (message.revision ?? 0) + 1;
}

export function changeMessage(change) {
  const message = findMessage(change.channel_id, change.id);
  if (!message) return;
  const { reactions, ...rest } = change; // an edit says nothing new about reactions
  if (JSON.stringify(rest.components ?? []) !== JSON.stringify(message.components ?? [])) forgetChoices(message);
  Object.assign(message, rest, { hasFailed: false });
  if (reactions && !message.reactions) message.reactions = reactions;
  touch(message);
}

/** Replaces what was chosen in a menu by the defaults that the bot now sends. */
function forgetChoices(message) {
  for (const key of state.choices.keys()) if (key.startsWith(`${message.id}:`)) state.choices.delete(key);
}

export function removeMessage(channelId, id) {
  const log = logOf(channelId);
  log.messages = log.messages.filter((message) => message.id !== id);
  for (const message of log.messages) {
    if (message.referenced_message?.id !== id) continue;
    message.referenced_message = null;
    touch(message);
  }
}

export const emojiKey = (emoji) => (emoji.id ? `${emoji.name}:${emoji.id}` : emoji.name);

export function countReaction({ channel_id: channelId, message_id: messageId, user_id: userId, emoji }, step) {
  const message = findMessage(channelId, messageId);
  if (!message) return;
  const reactions = structuredClone(message.reactions ?? []);
  let entry = reactions.find((reaction) => emojiKey(reaction.emoji) === emojiKey(emoji));
  if (!entry) reactions.push((entry = { emoji, count: 0, me: false }));
  entry.count += step;
  if (userId === state.me?.id) entry.me = step > 0;
  message.reactions = reactions.filter((reaction) => reaction.count > 0);
}

export function keepReactions({ channel_id: channelId, message_id: messageId }, isKept) {
  const message = findMessage(channelId, messageId);
  if (message) message.reactions = (message.reactions ?? []).filter(isKept);
}

/** Loads the newest page, or the one before the loaded messages; joins a request in flight. */
export function loadHistory(channelId, { older = false } = {}) {
  const log = logOf(channelId);
  log.loading ??= loadPage(channelId, log, older).finally(() => {
    log.loading = null;
  });
  return log.loading;
}

async function loadPage(channelId, log, older) {
  const world = state;
  const before = older && log.messages.length ? `&before=${log.messages[0].id}` : "";
  const limit = older ? PAGE_OF_HISTORY : FIRST_PAGE;
  try {
    const page = await api("GET", `/channels/${channelId}/messages?limit=${limit}${before}`);
    if (world !== state) return;
    for (const message of page) insertMessage(message);
    log.isComplete = page.length < limit;
    log.isLoaded = true;
  } catch (error) {
    if (world === state) toast(error.message);
  }
}
