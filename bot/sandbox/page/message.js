// Renders messages.

import { askForThread, askToDelete } from "./actions.js";
import { openApps } from "./apps.js";
import { avatar, badges } from "./avatars.js";
import { renderComponents } from "./components.js";
import { h, icon, iconButton } from "./dom.js";
import { isEditing, mayEdit, renderEditor, startEditing } from "./editing.js";
import { renderEmbed } from "./embeds.js";
import { removeMessage } from "./history.js";
import { inline, markdown } from "./markdown.js";
import { renderAttachments } from "./pictures.js";
import { pickEmoji } from "./reactions.js";
import { api } from "./rest.js";
import { tell } from "./signals.js";
import { channelName, FLAG, hasFlag, isAdmin, isDirect, isThread, nameOf, state } from "./state.js";
import { say } from "./texts.js";
import { createdAt, formats, sayWhen } from "./times.js";

const GROUP_WITHIN_MS = 7 * 60_000;
const [REPLY, COMPONENT] = [19, 3];
const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}|[\u{FE0F}\u{200D}\u{1F3FB}-\u{1F3FF}]|\s){1,40}$/u;

/** Returns whether a message is shown under the previous one without its own avatar and name. */
export function shouldGroup(message, previous) {
  if (!previous || previous.author.id !== message.author.id || message.type === REPLY) return false;
  if (message.message_reference || message.webhook_id !== previous.webhook_id) return false;
  if (message.interaction_metadata || message.interaction) return false;
  if (hasFlag(message, FLAG.EPHEMERAL) !== hasFlag(previous, FLAG.EPHEMERAL)) return false;
  return createdAt(message.id) - createdAt(previous.id) < GROUP_WITHIN_MS;
}

/** Returns a message as plain text, for screen readers and snippets. */
export function plainWords(message) {
  const embeds = (message.embeds ?? []).flatMap((embed) => [embed.title, embed.description]);
  const files = (message.attachments ?? []).map((file) => file.description || file.filename);
  const words = [message.content, ...embeds, ...files].filter(Boolean).join(". ");
  return words.replace(/[*_`~|]{1,3}|^[>#-]+ /gm, "").replace(/\s+/g, " ").slice(0, 300);
}

function renderReference(message) {
  const source = message.referenced_message;
  if (source) {
    const used = renderUse(message);
    return used ? [used, renderSource(source)] : renderSource(source);
  }
  if (message.type === REPLY) {
    return h("div", { class: "reference" }, h("em", {}, say("The original message was deleted")));
  }
  return renderUse(message);
}

function renderSource(source) {
  const name = nameOf(source.author);
  const unsaid = source.embeds?.length ? say("Click to see the embed") : say("Click to see the attachment");
  const snippet = source.content || unsaid;
  return h("button", {
    class: "reference", type: "button", data: { key: "reference" },
    "aria-label": `${say("Replying to ")}${name}: ${plainWords(source)}`, onclick: () => tell("show", source.id),
  },
  avatar(source.author, "tiny"), h("span", { class: "name" }, name),
  h("span", { class: "snippet" }, inline(snippet.replace(/\n/g, " "))));
}

/** Says who used which command, above the reply to it. */
function renderUse(message) {
  const used = message.interaction_metadata ?? message.interaction;
  const user = used?.user ?? state.users.get(used?.user_id);
  if (!user || used.type === COMPONENT) return null;
  const name = used.name ?? message.interaction?.name;
  const onMessage = Boolean(used.target_message_id);
  return h("div", { class: "reference" }, avatar(user, "tiny"), h("span", { class: "name" }, nameOf(user)),
    name && h("span", {}, say(" used "), h("span", { class: "mention" }, onMessage ? name : `/${name}`)));
}

const dots = () => h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));

function renderText(message) {
  const edited = message.edited_timestamp && h("span", {
    class: "edited", title: formats.full.format(new Date(message.edited_timestamp)),
  }, `${message.content ? " " : ""}${say("(edited)")}`);
  if (hasFlag(message, FLAG.LOADING)) {
    return h("div", { class: "text muted" }, dots(), say("{bot} is thinking…", { bot: nameOf(message.author) }));
  }
  if (isEditing(message)) return renderEditor(message);
  if (!message.content) return edited || null;
  const isJumbo = EMOJI_ONLY.test(message.content);
  return h("div", { class: `text${isJumbo ? " jumbo" : ""}` }, markdown(message.content), edited);
}

function renderThread(message) {
  const thread = hasFlag(message, FLAG.HAS_THREAD) && (state.channels.get(message.id) ?? message.thread);
  if (!thread) return null;
  const open = () => tell("open", thread.id);
  return h("button", { class: "thread-link", type: "button", data: { key: "thread" }, onclick: open },
    h("span", { "aria-hidden": "true" }, "↳ "), h("strong", {}, channelName(thread)), say(" · See the thread ›"));
}

function renderTools(message) {
  const channel = state.channels.get(message.channel_id);
  const isMine = message.author.id === state.me?.id;
  const mayRemove = isMine || (channel && !isDirect(channel) && state.me && isAdmin(state.me));
  const mayThread = channel && !isDirect(channel) && !isThread(channel) && !hasFlag(message, FLAG.HAS_THREAD);
  const remove = ({ currentTarget, shiftKey }) => askToDelete(currentTarget, message, { isSure: shiftKey });
  const thread = ({ currentTarget }) => askForThread(currentTarget, message, plainWords(message));
  const tool = (name, label, key, onclick) => iconButton(name, label, { data: { key: `tool ${key}` }, onclick });
  return h("div", { class: "tools", role: "group", "aria-label": say("Message actions") },
    tool("smile", say("Add a reaction"), "react", ({ currentTarget }) => pickEmoji(currentTarget, message)),
    tool("reply", say("Reply to {name}", { name: nameOf(message.author) }), "reply", () => tell("reply", message)),
    mayEdit(message) && tool("pen", say("Edit your message"), "edit", () => startEditing(message)),
    mayThread && tool("thread", say("Create a thread"), "new thread", thread),
    state.messageCommands.length > 0
      && tool("apps", say("Apps"), "apps", ({ currentTarget }) => openApps(currentTarget, message)),
    mayRemove && tool("bin", isMine ? say("Delete your message") : say("Delete this message"), "delete", remove));
}

function renderEphemeral(message) {
  const dismiss = () => {
    removeMessage(message.channel_id, message.id);
    tell("log");
    tell("box");
    if (!message.isLocal) api("DELETE", `/channels/${message.channel_id}/messages/${message.id}`).catch(() => null);
  };
  return h("p", { class: "ephemeral" }, icon("eye"), say("Only you can see this · "),
    h("button", { class: "plain", type: "button", data: { key: "dismiss" }, onclick: dismiss }, say("Dismiss")));
}

/** Builds the content of a message's row, without its reactions. */
export function renderBody(message, isGrouped) {
  const at = createdAt(message.id);
  const when = h("time", { datetime: at.toISOString(), title: formats.full.format(at) },
    isGrouped ? formats.time.format(at) : sayWhen(at));
  const isEphemeral = hasFlag(message, FLAG.EPHEMERAL);
  const name = h("span", { class: "name" }, nameOf(message.author));
  return [
    ...(isGrouped ? [] : [renderReference(message)].flat()),
    isGrouped ? h("span", { class: "when-grouped" }, when) : avatar(message.author),
    h("div", { class: "message-body" },
      !isGrouped && h("div", { class: "byline" }, name, badges(message.author), when),
      renderText(message),
      (message.embeds ?? []).map((embed) => renderEmbed(embed, message)),
      renderAttachments(message),
      renderComponents(message),
      h("div", { class: "reactions" }),
      renderThread(message),
      isEphemeral && renderEphemeral(message)),
    !isEphemeral && renderTools(message),
  ].filter(Boolean);
}
