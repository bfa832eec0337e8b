// Applies the gateway's events to the state and the page.

import { announce } from "./dom.js";
import {
  changeMessage, countReaction, emojiKey, findMessage, insertMessage, keepReactions, logOf, removeMessage,
} from "./history.js";
import { noticeMessage, renderLog } from "./log.js";
import { plainWords } from "./message.js";
import { openModal } from "./modal.js";
import { renderHeader, renderSidebar, renderTyping } from "./sidebar.js";
import { loadCommands } from "./slash.js";
import { FLAG, hasFlag, learnChannel, learnUser, nameOf, state } from "./state.js";
import { receiveCompletions } from "./suggestions.js";

/** Announces another user's message to screen readers, as soon as it has content. */
function readOut(message) {
  if (hasFlag(message, FLAG.LOADING) || message.author.id === state.me?.id) return;
  const only = hasFlag(message, FLAG.EPHEMERAL) ? ", only to you" : "";
  announce(`${nameOf(message.author)}${only}: ${plainWords(message)}`);
}

/** Counts an unread message, and remembers the first unread one. */
function countUnread(message) {
  state.unread.set(message.channel_id, (state.unread.get(message.channel_id) ?? 0) + 1);
  logOf(message.channel_id).firstUnread ??= message.id;
  renderSidebar();
}

function afterChannelChange() {
  renderSidebar();
  renderHeader();
  renderLog();
}

export const events = {
  CHANNEL_CREATE: (channel) => { learnChannel(channel); renderSidebar(); },
  CHANNEL_UPDATE: (channel) => { learnChannel(channel); afterChannelChange(); },
  CHANNEL_DELETE: (channel) => { state.channels.delete(channel.id); afterChannelChange(); },
  THREAD_CREATE: (channel) => { learnChannel(channel); renderSidebar(); },
  THREAD_DELETE: (channel) => { state.channels.delete(channel.id); afterChannelChange(); },
  GUILD_MEMBER_UPDATE: (member) => learnUser(member.user, member),
  GUILD_ROLE_UPDATE: ({ role }) => state.roles.set(role.id, role),

  GUILD_MEMBER_ADD(member) {
    learnUser(member.user, member);
    if (member.user.bot) loadCommands();
    renderHeader();
  },

  PRESENCE_UPDATE({ user, status }) {
    if (status === "offline") state.online.delete(user.id);
    else state.online.add(user.id);
    if (!state.users.get(user.id)?.bot) return;
    renderHeader();
    loadCommands();
  },

  TYPING_START({ channel_id: channelId, user_id: userId, member }) {
    learnUser(member?.user, member);
    if (!state.typing.has(channelId)) state.typing.set(channelId, new Map());
    state.typing.get(channelId).set(userId, Date.now() + 10_000);
    renderTyping();
  },

  MESSAGE_CREATE(message) {
    insertMessage(message);
    state.typing.get(message.channel_id)?.delete(message.author.id);
    const isMine = message.author.id === state.me?.id;
    const isOpen = message.channel_id === state.current;
    if (isMine) logOf(message.channel_id).firstUnread = null;
    else if (!isOpen || document.hidden) countUnread(message);
    if (!isOpen) return;
    noticeMessage({ isMine });
    renderTyping();
    renderLog();
    readOut(message);
  },

  MESSAGE_UPDATE(change) {
    const before = findMessage(change.channel_id, change.id);
    const wasLoading = before && hasFlag(before, FLAG.LOADING);
    changeMessage(change);
    if (change.channel_id !== state.current) return;
    renderLog();
    if (wasLoading) readOut(findMessage(change.channel_id, change.id));
  },

  MESSAGE_DELETE({ channel_id: channelId, id }) {
    removeMessage(channelId, id);
    renderLog();
  },

  MESSAGE_DELETE_BULK({ channel_id: channelId, ids }) {
    for (const id of ids) removeMessage(channelId, id);
    renderLog();
  },

  MESSAGE_REACTION_ADD: (event) => { countReaction(event, +1); renderLog(); },
  MESSAGE_REACTION_REMOVE: (event) => { countReaction(event, -1); renderLog(); },
  MESSAGE_REACTION_REMOVE_ALL: (event) => { keepReactions(event, () => false); renderLog(); },
  MESSAGE_REACTION_REMOVE_EMOJI(event) {
    keepReactions(event, ({ emoji }) => emojiKey(emoji) !== emojiKey(event.emoji));
    renderLog();
  },

  INTERACTION_SUCCESS: ({ nonce }) => state.waiting.get(nonce)?.settle("done"),
  INTERACTION_FAILURE: ({ nonce }) => state.waiting.get(nonce)?.settle("failed"),
  INTERACTION_MODAL_CREATE(modal) {
    state.waiting.get(modal.nonce)?.settle("done");
    openModal(modal);
  },
  APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE: receiveCompletions,
};
