// The chat page of the sandbox: a small client of Discord's own protocol, REST under /api/v10 and the gateway under
// /gateway. Whatever people or the bot wrote reaches the page as text nodes, never as HTML.
//
// In order: names and small tools, REST, gateway, store, markdown, message parts, components, modals, the log,
// channels and people, slash commands, the composer, the events, the start.

const API = "/api/v10";
const PEOPLE = ["ada", "ben", "cleo"]; // a person's token is the name
const capitalised = (name) => name[0].toUpperCase() + name.slice(1);
const MAX_CHARS = 2000;
const PAGE_OF_HISTORY = 50;
const GROUP_WITHIN_MS = 7 * 60_000;
const INTERACTION_TIMEOUT_MS = 6_000;
const QUICK_EMOJI = ["👍", "👎", "❤️", "😂", "🎉", "🤔", "👀", "✅"];
const FLAG = { EPHEMERAL: 1 << 6, LOADING: 1 << 7 };
const EXAMPLES = ["!fill Nike shoes are very [MASK]", "!fill The delivery was [MASK] and the support was [MASK]", "!help"];

const $ = (id) => document.getElementById(id);
const ui = Object.fromEntries(
  ["app", "sidebar", "scrim", "menu", "guild-name", "channels", "people", "channel-name", "topic", "presence", "banner",
    "scroller", "log", "newest", "suggestions", "suggestions-title", "suggestion-list", "replying", "composer", "box",
    "box-label", "counter", "send", "typing", "layer", "toasts", "modal", "lightbox"].map((id) => [id, $(id)]),
);

/** Builds an element; strings among the children become text nodes. */
function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  menu: "M3 6h18v2H3zm0 5h18v2H3zm0 5h18v2H3z",
  send: "M3 20.5 22 12 3 3.5 3 10l12 2-12 2z",
  smile: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 18a8 8 0 1 1 0-16 8 8 0 0 1 0 16zM8.5 11a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zm7 0a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM7 13.5h10a5 5 0 0 1-10 0z",
  reply: "M10 9V5l-7 7 7 7v-4.1c5 0 8.5 1.6 11 5.1-1-5-4-10-11-11z",
  bin: "M6 19a2 2 0 0 0 2 2h8a2 2 0 0 0 2-2V8H6zM15.5 4l-1-1h-5l-1 1H5v2h14V4z",
  file: "M6 2h8l6 6v14H4V4a2 2 0 0 1 2-2zm7 1.5V9h5.5z",
  chevron: "M7.4 8.6 12 13.2l4.6-4.6L18 10l-6 6-6-6z",
  download: "M19 9h-4V3H9v6H5l7 7zM5 18v2h14v-2z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
  eye: "M12 5C6.5 5 2.7 9.4 1.5 12c1.2 2.6 5 7 10.5 7s9.3-4.4 10.5-7C21.3 9.4 17.5 5 12 5zm0 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9zm0-2.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const isOlder = (a, b) => a.length < b.length || (a.length === b.length && a < b); // ids are 64-bit integers in strings
const createdAt = (id) => new Date(Number(BigInt(id) >> 22n) + 1420070400000);
const makeNonce = () => ((BigInt(Date.now() - 1420070400000) << 22n) + BigInt(Math.floor(Math.random() * 4e6))).toString();
const formats = {
  time: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
  date: new Intl.DateTimeFormat(undefined, { dateStyle: "short" }),
  longDate: new Intl.DateTimeFormat(undefined, { dateStyle: "long" }),
  full: new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }),
};
const dayOf = (date) => date.toDateString();

function sayWhen(date) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  const time = formats.time.format(date);
  return days === 0 ? `Today at ${time}` : days === 1 ? `Yesterday at ${time}` : `${formats.date.format(date)} ${time}`;
}

function toast(text) {
  const item = h("div", { class: "toast" }, h("span", {}, text),
    h("button", { class: "icon", type: "button", "aria-label": "Dismiss", onclick: () => item.remove() }, icon("close")));
  ui.toasts.append(item);
  while (ui.toasts.children.length > 4) ui.toasts.firstChild.remove();
  setTimeout(() => item.remove(), 8_000);
}

// ---------------------------------------------------------------------------------------------------------- REST

class ApiError extends Error {
  constructor(status, body) {
    super(body?.message || (status ? `The server answered ${status}.` : "The sandbox cannot be reached. Is it still running?"));
    this.status = status;
  }
}

/** Calls the REST interface as the present person; waits out rate limits, throws ApiError otherwise. */
async function api(method, path, body) {
  const headers = { Authorization: state.token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  for (let attempt = 0; ; attempt += 1) {
    let response;
    try {
      response = await fetch(API + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch {
      throw new ApiError(0);
    }
    const answer = await response.json().catch(() => null);
    if (response.status === 429 && attempt < 4) {
      await new Promise((resolve) => setTimeout(resolve, (answer?.retry_after ?? 1) * 1000 + 20));
      continue;
    }
    if (!response.ok) throw new ApiError(response.status, answer);
    return answer;
  }
}

/** Runs an action of a person; what goes wrong is told in a toast. Returns whether it worked. */
async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(error.message);
    return false;
  }
}

// ------------------------------------------------------------------------------------------------------- gateway

/** One person's connection: identifies, beats, resumes after a drop and identifies anew where that is refused. */
class Gateway {
  constructor(token, onEvent, onStatus) {
    Object.assign(this, { token, onEvent, onStatus, session: null, sequence: null, failures: 0, closed: false });
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/gateway?v=10&encoding=json`);
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ code }) => this.dropped(code);
  }

  send(op, d) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ op, d }));
  }

  receive({ op, d, s, t }) {
    if (s) this.sequence = s;
    if (op === 0) {
      if (t === "READY") this.session = d.session_id;
      if (t === "READY" || t === "RESUMED") {
        this.failures = 0;
        this.onStatus("connected");
      }
      this.onEvent(t, d);
    } else if (op === 1) this.beat();
    else if (op === 7) this.socket.close(4000);
    else if (op === 9) {
      if (!d) this.session = null;
      setTimeout(() => this.identify(), 250);
    } else if (op === 10) {
      this.acknowledged = true;
      clearInterval(this.heart);
      this.heart = setInterval(() => this.beat(), d.heartbeat_interval);
      this.identify();
    } else if (op === 11) this.acknowledged = true;
  }

  identify() {
    if (this.session) this.send(6, { token: this.token, session_id: this.session, seq: this.sequence });
    else {
      const properties = { os: "browser", browser: "fillbot page", device: "fillbot page" };
      this.send(2, { token: this.token, intents: 53608447, properties });
    }
  }

  beat() {
    if (!this.acknowledged) return this.socket.close(4000);
    this.acknowledged = false;
    this.send(1, this.sequence);
  }

  dropped(code) {
    clearInterval(this.heart);
    if (this.closed) return;
    if ([4003, 4007, 4009].includes(code)) this.session = null;
    if (code === 4004) return this.onStatus("refused");
    this.failures += 1;
    this.onStatus("lost");
    this.retry = setTimeout(() => this.open(), Math.min(5_000, 250 * 2 ** this.failures));
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    clearInterval(this.heart);
    this.socket.close(1000);
  }
}

// --------------------------------------------------------------------------------------------------------- store

/** Everything known about the world as one person sees it; thrown away when the person changes. */
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
  logs: new Map(), // channel id → {messages, isComplete, isLoading, isLoaded}
  current: null,
  commands: [], // what can be typed after the slash, subcommands spelled out
  typing: new Map(), // channel id → Map(user id → until, ms)
  unread: new Map(), // channel id → count
  choices: new Map(), // "message:custom id" → values chosen in a menu
  waiting: new Map(), // nonce → an interaction that has not been answered
  replyTo: null,
});

let state = freshState(PEOPLE[0]);
let gateway = null;
let wantedChannel = null; // name to open once the channels are known
const drafts = new Map(); // "person channel" → text
const sent = []; // what was sent from this tab, oldest first

const bot = () => [...state.users.values()].find((user) => user.bot);
const nameOf = (user) => state.members.get(user.id)?.nick || user.global_name || user.username;
const isDirect = (channel) => channel.type === 1;
const isThread = (channel) => [10, 11, 12].includes(channel.type);
const partnerOf = (channel) => channel.recipients?.find((user) => user.id !== state.me?.id) ?? channel.recipients?.[0];
const channelName = (channel) => (isDirect(channel) ? nameOf(partnerOf(channel) ?? { username: "direct message" }) : channel.name);
const channelKey = (channel) => (isDirect(channel) ? "@me" : isThread(channel) ? channel.id : channel.name);

function isAdmin(user) {
  const held = state.members.get(user.id)?.roles ?? [];
  const may = held.some((id) => BigInt(state.roles.get(id)?.permissions ?? 0) & 0x28n); // administrator, manage guild
  return !user.bot && (may || state.guild?.owner_id === user.id);
}

function learnUser(user, member) {
  if (!user) return;
  state.users.set(user.id, { ...state.users.get(user.id), ...user });
  if (member) state.members.set(user.id, { ...state.members.get(user.id), ...member });
}

function logOf(channelId) {
  if (!state.logs.has(channelId)) {
    state.logs.set(channelId, { messages: [], isComplete: false, isLoading: false, isLoaded: false });
  }
  return state.logs.get(channelId);
}

const hasFlag = (message, flag) => Boolean((message.flags ?? 0) & flag);
const findMessage = (channelId, id) => logOf(channelId).messages.find((message) => message.id === id);

function insertMessage(message) {
  learnUser(message.author, message.member);
  const { messages } = logOf(message.channel_id);
  let at = messages.length;
  while (at > 0 && isOlder(message.id, messages[at - 1].id)) at -= 1;
  if (messages[at - 1]?.id === message.id) messages[at - 1] = { ...message, revision: (messages[at - 1].revision ?? 0) + 1 };
  else messages.splice(at, 0, message);
}

function touch(message) {
  message.revision = (message.revision ?? 0) + 1;
}

function removeMessage(channelId, id) {
  const log = logOf(channelId);
  log.messages = log.messages.filter((message) => message.id !== id);
}

/** Loads the newest page, or the page before what is there. */
async function loadHistory(channelId, { older = false } = {}) {
  const log = logOf(channelId);
  if (log.isLoading || (older && log.isComplete)) return;
  log.isLoading = true;
  const world = state;
  const before = older && log.messages.length ? `&before=${log.messages[0].id}` : "";
  const limit = older ? PAGE_OF_HISTORY : 100;
  try {
    const page = await api("GET", `/channels/${channelId}/messages?limit=${limit}${before}`);
    if (world !== state) return;
    for (const message of page) insertMessage(message);
    log.isComplete = page.length < limit;
    log.isLoaded = true;
  } catch (error) {
    if (world === state) toast(error.message);
  } finally {
    log.isLoading = false;
  }
}

// ------------------------------------------------------------------------------------------------------ markdown

const BLOCKS = [
  ["fence", /```(?:([\w+#-]+)\n)?\n?([\s\S]+?)\n?```\n?/y],
  ["quoteAll", />>> ([\s\S]+)/y],
  ["quote", /((?:> ?[^\n]*(?:\n|$))+)/y],
  ["heading", /(#{1,3}) +([^\n]+)(?:\n|$)/y],
  ["small", /-# +([^\n]+)(?:\n|$)/y],
  ["list", /((?:[ \t]*(?:[-*]|\d{1,4}\.) +[^\n]+(?:\n|$))+)/y],
];
const INLINES = [
  ["escape", /\\([^0-9A-Za-z\s])/y],
  ["fence", /```(?:([\w+#-]+)\n)?\n?([\s\S]+?)\n?```\n?/y],
  ["code", /(`+)([\s\S]*?[^`])\1(?!`)/y],
  ["both", /\*\*\*((?:\\[\s\S]|[^\\])+?)\*\*\*(?!\*)/y],
  ["bold", /\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)/y],
  ["underline", /__((?:\\[\s\S]|[^\\])+?)__(?!_)/y],
  ["italic", /\*(?=\S)((?:\*\*|\\[\s\S]|[^*\\])*?(?:\*\*|\\[\s\S]|[^*\\\s]))\*(?!\*)/y],
  ["italic", /(?<![A-Za-z0-9_])_((?:__|\\[\s\S]|[^_\\])+?)_(?![A-Za-z0-9_])/y],
  ["strike", /~~((?:\\[\s\S]|[^\\])+?)~~/y],
  ["spoiler", /\|\|([\s\S]+?)\|\|/y],
  ["named", /\[((?:\\.|[^\]\\\n])+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/y],
  ["link", /<(https?:\/\/[^\s>]+)>/y],
  ["link", /(https?:\/\/[^\s<]*[^\s<.,:;"')\]!?*_~|])/y],
  ["user", /<@!?(\d+)>/y],
  ["role", /<@&(\d+)>/y],
  ["channel", /<#(\d+)>/y],
  ["command", /<\/([^:>\n]{1,100}):\d+>/y],
  ["emoji", /<a?(:\w+:)\d+>/y],
  ["stamp", /<t:(-?\d{1,13})(?::([tTdDfFR]))?>/y],
  ["everyone", /(@everyone|@here)/y],
];
const STARTERS = /[\\`*_~|[<h@]/g;

/** Renders the part of Markdown that Discord knows. Returns a fragment of elements and text nodes. */
function markdown(text, depth = 0) {
  const fragment = document.createDocumentFragment();
  let at = 0;
  let plain = at;
  const flush = (end) => {
    if (end > plain) fragment.append(inline(text.slice(plain, end), depth));
  };
  while (at < text.length) {
    const block = firstMatch(BLOCKS, text, at);
    const isWelcome = block && (block.kind !== "list" || depth < 4) && (!block.kind.startsWith("quote") || depth === 0);
    if (isWelcome) {
      flush(at > plain && text[at - 1] === "\n" ? at - 1 : at);
      fragment.append(renderBlock(block, depth));
      at = plain = block.end;
      continue;
    }
    const line = text.indexOf("\n", at);
    const fence = text.indexOf("```", at + 1); // the one block that may begin within a line
    const next = line < 0 ? text.length : line + 1;
    at = fence > 0 && fence < next && text[fence - 1] !== "\\" ? fence : next;
    if (at === fence && !firstMatch(BLOCKS.slice(0, 1), text, at)) at = next;
  }
  flush(text.length);
  return fragment;
}

function firstMatch(rules, text, at) {
  for (const [kind, rule] of rules) {
    rule.lastIndex = at;
    const match = rule.exec(text);
    if (match) return { kind, match, end: rule.lastIndex };
  }
  return null;
}

function renderBlock({ kind, match }, depth) {
  if (kind === "fence") return h("pre", {}, h("code", {}, match[2]));
  if (kind === "quoteAll") return h("blockquote", {}, markdown(match[1], depth + 1));
  if (kind === "quote") return h("blockquote", {}, markdown(match[1].replace(/^> ?/gm, "").replace(/\n$/, ""), depth + 1));
  if (kind === "heading") return h("div", { class: `heading h${match[1].length}`, role: "heading", "aria-level": match[1].length + 2 }, inline(match[2], depth));
  if (kind === "small") return h("div", { class: "subtext" }, inline(match[1], depth));
  const lines = match[1].trimEnd().split("\n").map((line) => /^([ \t]*)([-*]|\d+\.) +(.*)$/.exec(line));
  const isOrdered = /\d/.test(lines[0][2]);
  return h(isOrdered ? "ol" : "ul", { start: isOrdered ? parseInt(lines[0][2], 10) : null },
    lines.map(([, indent, , words]) => h("li", { class: indent.length >= 2 ? "deeper" : null }, inline(words, depth + 1))));
}

function inline(text, depth = 0) {
  const fragment = document.createDocumentFragment();
  let at = 0;
  let plain = "";
  while (at < text.length) {
    STARTERS.lastIndex = at;
    const next = STARTERS.exec(text)?.index ?? text.length;
    plain += text.slice(at, next);
    at = next;
    if (at >= text.length) break;
    const found = depth < 12 ? firstMatch(INLINES, text, at) : null;
    if (found?.kind === "escape") plain += found.match[1];
    else if (found) {
      fragment.append(plain, renderInline(found, depth + 1));
      plain = "";
    } else plain += text[at];
    at = found ? found.end : at + 1;
  }
  fragment.append(plain);
  return fragment;
}

function renderInline({ kind, match }, depth) {
  const within = () => inline(match[1], depth);
  switch (kind) {
    case "fence": return h("pre", {}, h("code", {}, match[2]));
    case "code": return h("code", {}, match[2].trim() ? match[2].replace(/^ (.+) $/, "$1") : match[2]);
    case "both": return h("strong", {}, h("em", {}, within()));
    case "bold": return h("strong", {}, within());
    case "underline": return h("u", {}, within());
    case "italic": return h("em", {}, within());
    case "strike": return h("s", {}, within());
    case "spoiler": {
      const cover = h("button", { class: "spoiler", type: "button", "aria-label": "Spoiler, press to show" }, h("span", {}, within()));
      cover.addEventListener("click", () => cover.replaceWith(h("span", { class: "spoiler shown" }, [...cover.firstChild.childNodes])));
      return cover;
    }
    case "named": return link(match[2], within());
    case "link": return link(match[1], match[1]);
    case "user": return mention(`@${state.users.has(match[1]) ? nameOf(state.users.get(match[1])) : "unknown-user"}`, match[1] === state.me?.id);
    case "role": return mention(`@${state.roles.get(match[1])?.name ?? "unknown-role"}`);
    case "channel": return mention(`#${state.channels.get(match[1])?.name ?? "unknown"}`, false, () => openChannel(match[1]));
    case "command": return mention(`/${match[1]}`, false, () => putInBox(`/${match[1]} `));
    case "stamp": return stamp(new Date(Number(match[1]) * 1000), match[2]);
    case "everyone": return mention(match[1]);
    default: return document.createTextNode(match[1]);
  }
}

const link = (href, content) => h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, content);

function mention(text, isMe = false, onclick = null) {
  return h(onclick ? "button" : "span", { class: `mention${isMe ? " me" : ""}`, type: onclick && "button", onclick }, text);
}

function stamp(date, style = "f") {
  const dateStyle = { d: "short", D: "long", f: "long", F: "full" }[style];
  const timeStyle = { t: "short", T: "medium", f: "short", F: "short" }[style];
  const text = Number.isNaN(date.getTime()) ? "an invalid date"
    : style === "R" ? relative(date) : new Intl.DateTimeFormat(undefined, { dateStyle, timeStyle }).format(date);
  return h("time", { class: "stamp", title: Number.isNaN(date.getTime()) ? null : formats.full.format(date) }, text);
}

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const units = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units.at(-1);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

// ------------------------------------------------------------------------------------------------- message parts

function avatar(user, size = "") {
  let hash = 0;
  for (const letter of user.username ?? "?") hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  const tint = user.bot ? "bot" : `tint${{ ada: 0, ben: 1, cleo: 2 }[user.username] ?? hash % 6}`;
  return h("span", { class: `avatar ${tint} ${size}`, "aria-hidden": "true" }, [...nameOf(user)][0]?.toUpperCase() ?? "?");
}

function badges(user) {
  return [user.bot && h("span", { class: "badge" }, "BOT"), isAdmin(user) && h("span", { class: "badge admin" }, "ADMIN")];
}

/** Files are served by the sandbox itself, whatever name of this machine their address carries. */
function ownUrl(url) {
  try {
    const parsed = new URL(url, location.href);
    const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed.hostname);
    return isLoopback ? parsed.pathname + parsed.search : parsed.protocol.startsWith("http") ? parsed.href : null;
  } catch {
    return null;
  }
}

function sayBytes(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

function picture(url, { name, alt, width, height, kind = "" }) {
  const source = ownUrl(url);
  if (!source) return null;
  const image = h("img", { src: source, alt: alt || name || "Picture", width, height, loading: "lazy" });
  return h("button", {
    class: `picture ${kind}`, type: "button", "aria-label": `Enlarge ${alt || name || "picture"}`, data: { key: `picture ${source}` },
    onclick: () => enlarge(source, alt || name || "Picture"),
  }, image);
}

function enlarge(source, name) {
  ui.lightbox.replaceChildren(
    h("img", { src: source, alt: name }),
    h("p", {}, h("a", { href: source, target: "_blank", rel: "noopener" }, "Open in a new tab"),
      h("button", { class: "plain", type: "button", onclick: () => ui.lightbox.close() }, "Close")),
  );
  ui.lightbox.showModal();
}
ui.lightbox.addEventListener("click", ({ target }) => target === ui.lightbox && ui.lightbox.close());

function renderAttachment(file) {
  const isPicture = file.content_type?.startsWith("image/") || /\.(png|jpe?g|gif|webp)$/i.test(file.filename);
  if (isPicture) return picture(file.url, { name: file.filename, alt: file.description, width: file.width, height: file.height });
  return h("a", { class: "file", href: ownUrl(file.url), download: file.filename }, icon("file"),
    h("span", {}, h("span", { class: "file-name" }, file.filename), h("span", { class: "muted" }, sayBytes(file.size ?? 0))), icon("download"));
}

function embedPicture(media, message, kind) {
  if (!media?.url) return null;
  const name = media.url.startsWith("attachment://") ? media.url.slice(13) : null;
  const file = message.attachments?.find((attachment) => attachment.filename === name || attachment.url === media.url);
  const url = name ? file?.url : media.url;
  return url && picture(url, { name: file?.filename ?? "picture", alt: media.description ?? file?.description, width: media.width ?? file?.width, height: media.height ?? file?.height, kind });
}

function renderEmbed(embed, message) {
  const titled = embed.title && (embed.url ? link(embed.url, inline(embed.title)) : inline(embed.title));
  const footer = [embed.footer?.text, embed.timestamp && sayWhen(new Date(embed.timestamp))].filter(Boolean).join(" • ");
  const thumbnail = embedPicture(embed.thumbnail, message, "thumbnail");
  const box = h("div", { class: `embed${thumbnail ? " with-thumbnail" : ""}`, role: "group", "aria-label": embed.title ? `Embed: ${embed.title}` : "Embed" },
    embed.author?.name && h("div", { class: "embed-author" }, embed.author.url ? link(embed.author.url, embed.author.name) : embed.author.name),
    titled && h("div", { class: "embed-title" }, titled),
    embed.description && h("div", { class: "text" }, markdown(embed.description)),
    embed.fields?.length > 0 && h("div", { class: "fields" }, embed.fields.map((field) =>
      h("div", { class: `field${field.inline ? " inline" : ""}` },
        h("div", { class: "field-name" }, inline(field.name)), h("div", { class: "text" }, markdown(field.value))))),
    embedPicture(embed.image, message, "wide"),
    thumbnail,
    footer && h("div", { class: "embed-footer" }, footer));
  if (typeof embed.color === "number") box.style.borderInlineStartColor = `#${embed.color.toString(16).padStart(6, "0")}`;
  return box;
}

const emojiKey = (emoji) => (emoji.id ? `${emoji.name}:${emoji.id}` : emoji.name);
const reactionPath = (message, emoji) => `/channels/${message.channel_id}/messages/${message.id}/reactions/${encodeURIComponent(emojiKey(emoji))}`;

function react(message, emoji, isMine) {
  return attempt(() => api(isMine ? "DELETE" : "PUT", `${reactionPath(message, emoji)}/@me`));
}

function renderReactions(message) {
  const reactions = message.reactions ?? [];
  const pills = reactions.map(({ emoji, count, me }) => {
    const people = `${count} ${count === 1 ? "reaction" : "reactions"}${me ? ", yours among them" : ""}`;
    const pill = h("button", {
      class: "reaction", type: "button", "aria-pressed": String(Boolean(me)), "aria-label": `${emoji.name}, ${people}`,
      data: { key: `reaction ${emoji.name}`, emoji: emoji.name }, onclick: () => react(message, emoji, me),
    }, h("span", { class: "emoji" }, emoji.name), h("span", { class: "count" }, String(count)));
    pill.addEventListener("mouseenter", async () => {
      const users = await api("GET", `${reactionPath(message, emoji)}?limit=25`).catch(() => []);
      pill.title = users.map(nameOf).join(", ");
    }, { once: true });
    return pill;
  });
  if (pills.length) pills.push(h("button", {
    class: "reaction add", type: "button", "aria-label": "Add a reaction", data: { key: "add reaction" },
    onclick: ({ currentTarget }) => pickEmoji(currentTarget, message),
  }, icon("smile")));
  return pills;
}

function pickEmoji(anchor, message) {
  const buttons = QUICK_EMOJI.map((name) => h("button", {
    type: "button", "aria-label": `React with ${name}`,
    onclick: () => {
      closeLayer();
      const mine = message.reactions?.some((reaction) => reaction.emoji.name === name && reaction.me);
      if (!mine) react(message, { name }, false);
    },
  }, name));
  const picker = h("div", { class: "popup emoji-picker", role: "group", "aria-label": "Choose a reaction" }, buttons);
  picker.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
    if (step) buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  });
  openLayer(anchor, picker);
  buttons[0].focus();
}

/** Shows a popup beside its anchor; a press elsewhere, Escape or scrolling closes it. */
let layer = null;
function openLayer(anchor, popup, onclose = null) {
  closeLayer();
  layer = { anchor, popup, onclose, key: anchor.dataset.key, row: anchor.closest(".message")?.dataset.id };
  ui.layer.replaceChildren(popup);
  const place = anchor.getBoundingClientRect();
  const size = popup.getBoundingClientRect();
  const below = place.bottom + size.height + 8 < innerHeight || place.top < size.height + 8;
  popup.style.top = `${Math.max(8, Math.min(below ? place.bottom + 4 : place.top - size.height - 4, innerHeight - size.height - 8))}px`;
  popup.style.left = `${Math.max(8, Math.min(place.left, innerWidth - size.width - 8))}px`;
  anchor.setAttribute("aria-expanded", "true");
}

function closeLayer({ isCancelled = false } = {}) {
  if (!layer) return;
  const { anchor, onclose, key, row, popup } = layer;
  layer = null;
  const hadFocus = popup.contains(document.activeElement);
  ui.layer.replaceChildren();
  anchor.setAttribute("aria-expanded", "false");
  const successor = anchor.isConnected ? anchor : document.querySelector(`[data-id="${row}"] [data-key="${CSS.escape(key ?? "")}"]`);
  if (hadFocus) (successor ?? ui.box).focus({ preventScroll: true });
  onclose?.(isCancelled);
}
document.addEventListener("pointerdown", ({ target }) => {
  if (layer && !layer.popup.contains(target) && !layer.anchor.contains(target)) closeLayer();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && layer) {
    event.preventDefault();
    closeLayer({ isCancelled: true });
  }
});
addEventListener("resize", () => closeLayer());

// ---------------------------------------------------------------------------------------------------- components

const SELECTS = [3, 5, 6, 7, 8];

/** Sends an interaction and watches that it gets an answer; `mark` receives "waiting", "done" or "failed". */
async function interact(type, { channelId, applicationId, data, message, mark = () => {} }) {
  const nonce = makeNonce();
  const channel = state.channels.get(channelId);
  const settle = (outcome) => {
    if (!state.waiting.has(nonce)) return;
    clearTimeout(state.waiting.get(nonce).timer);
    state.waiting.delete(nonce);
    mark(outcome);
  };
  state.waiting.set(nonce, { settle, channelId, timer: setTimeout(() => settle("failed"), INTERACTION_TIMEOUT_MS) });
  mark("waiting");
  const body = {
    type, nonce, application_id: applicationId, channel_id: channelId, session_id: state.session, data,
    guild_id: channel && !isDirect(channel) ? state.guild?.id : undefined,
    message_id: message?.id, message_flags: message?.flags,
  };
  const worked = await attempt(() => api("POST", "/interactions", body));
  if (!worked) settle("failed");
  return worked;
}

function pressComponent(message, component, values) {
  const mark = (outcome) => {
    const shown = findMessage(message.channel_id, message.id);
    if (!shown) return;
    shown.waitingFor = outcome === "waiting" ? component.custom_id : null;
    shown.hasFailed = outcome === "failed";
    touch(shown);
    renderLog();
  };
  const data = { component_type: component.type, custom_id: component.custom_id, ...(values && { type: component.type, values }) };
  return interact(3, { channelId: message.channel_id, applicationId: message.application_id ?? message.author.id, data, message, mark });
}

function renderComponents(message) {
  const rows = (message.components ?? []).map((component) => renderComponent(component, message));
  if (message.hasFailed) rows.push(h("p", { class: "failed", role: "alert" }, "This interaction failed"));
  return rows;
}

function renderComponent(component, message) {
  const inner = () => (component.components ?? []).map((child) => renderComponent(child, message));
  if (component.type === 1) return h("div", { class: "row" }, inner());
  if (component.type === 2) return renderButton(component, message);
  if (SELECTS.includes(component.type)) return renderSelect(component, message);
  if (component.type === 9) return h("div", { class: "section" }, h("div", {}, inner()), component.accessory && renderComponent(component.accessory, message));
  if (component.type === 10) return h("div", { class: "text" }, markdown(component.content));
  if (component.type === 11) return embedPicture(component.media, message, "thumbnail");
  if (component.type === 12) return h("div", { class: "attachments" }, component.items.map((item) => embedPicture({ ...item.media, description: item.description }, message, "")));
  if (component.type === 14) return h("hr");
  if (component.type === 17) return h("div", { class: "embed" }, inner());
  return null;
}

function renderButton(component, message) {
  const content = [component.emoji?.name && h("span", { class: "emoji" }, component.emoji.name), component.label && h("span", {}, component.label)];
  if (component.style === 5) return h("a", { class: "button s2", href: component.url, target: "_blank", rel: "noopener noreferrer" }, content, " ↗");
  const isWaiting = message.waitingFor === component.custom_id;
  return h("button", {
    class: `button s${component.style ?? 2}`, type: "button", disabled: component.disabled, "aria-busy": isWaiting && "true",
    "aria-label": component.label ? null : component.emoji?.name, data: { key: component.custom_id },
    onclick: () => !isWaiting && pressComponent(message, component),
  }, content);
}

/** What a menu offers: its own options, or the people, roles and channels of the guild. */
function menuOptions(component) {
  if (component.type === 3) return component.options ?? [];
  const users = [...state.users.values()].map((user) => ({ value: user.id, label: nameOf(user) }));
  const roles = [...state.roles.values()].map((role) => ({ value: role.id, label: `@${role.name}` }));
  const channels = [...state.channels.values()].filter((channel) => !isDirect(channel)).map((channel) => ({ value: channel.id, label: `#${channel.name}` }));
  return { 5: users, 6: roles, 7: [...users, ...roles], 8: channels }[component.type];
}

function renderSelect(component, message) {
  const key = `${message.id}:${component.custom_id}`;
  const options = menuOptions(component);
  const chosen = state.choices.get(key) ?? options.filter((option) => option.default).map((option) => option.value);
  const labels = options.filter((option) => chosen.includes(option.value)).map((option) => option.label);
  const placeholder = component.placeholder || "Make a selection";
  const isWaiting = message.waitingFor === component.custom_id;
  return h("button", {
    class: `select${labels.length ? " chosen" : ""}`, type: "button", disabled: component.disabled, "aria-haspopup": "listbox", "aria-expanded": "false",
    "aria-label": labels.length ? `${placeholder}: ${labels.join(", ")}` : placeholder, "aria-busy": isWaiting && "true", data: { key: component.custom_id },
    onclick: ({ currentTarget }) => {
      if (layer?.anchor === currentTarget) return closeLayer();
      openMenu(currentTarget, {
        title: placeholder, options, chosen, least: component.min_values ?? 1, most: component.max_values ?? 1,
        onchoose: (values) => {
          state.choices.set(key, values);
          pressComponent(message, component, values);
        },
      });
    },
  }, h("span", { class: "select-value" }, labels.length ? labels.map((label) => h("span", { class: "chip" }, label)) : placeholder),
  labels.length > 0 && placeholder !== "Make a selection" && h("span", { class: "select-label" }, placeholder), icon("chevron"));
}

let menuCount = 0;
/** A listbox with a check mark per option. One choice is sent at once, several when the menu closes. */
function openMenu(anchor, { title, options, chosen, least, most, onchoose }) {
  const picked = new Set(chosen);
  const isMultiple = most > 1 || least === 0;
  const id = `menu${(menuCount += 1)}`;
  let active = Math.max(0, options.findIndex((option) => picked.has(option.value)));
  const mayBeSent = () => picked.size >= least && picked.size <= most;
  const isChanged = () => picked.size !== chosen.length || chosen.some((value) => !picked.has(value));
  const items = options.map((option, index) => h("li", { role: "option", id: `${id}-${index}`, onclick: () => toggle(index), onpointermove: () => move(index) },
    h("span", { class: `check${isMultiple ? "" : " round"}`, "aria-hidden": "true" }),
    option.emoji?.name && h("span", { class: "emoji" }, option.emoji.name),
    h("span", { class: "option-text" }, h("span", {}, option.label), option.description && h("span", { class: "muted" }, option.description))));
  const list = h("ul", { role: "listbox", tabindex: "0", "aria-multiselectable": isMultiple && "true", "aria-label": title }, items);
  const tally = h("span", { class: "muted", "aria-live": "polite" });
  const done = h("button", { class: "button s1", type: "button", onclick: () => closeLayer() }, "Done");
  const popup = h("div", { class: "popup menu-popup" }, list, isMultiple && h("div", { class: "menu-foot" }, tally, done));

  function draw() {
    items.forEach((item, index) => {
      item.setAttribute("aria-selected", String(picked.has(options[index].value)));
      item.classList.toggle("active", index === active);
    });
    list.setAttribute("aria-activedescendant", `${id}-${active}`);
    tally.textContent = mayBeSent() ? `${picked.size} of at most ${most}` : `Choose at least ${least}`;
    done.disabled = !mayBeSent();
  }
  function move(index) {
    active = (index + items.length) % items.length;
    draw();
  }
  function toggle(index) {
    const { value } = options[index];
    active = index;
    if (!isMultiple) {
      picked.clear();
      picked.add(value);
      return closeLayer();
    }
    if (picked.has(value)) picked.delete(value);
    else if (picked.size < most) picked.add(value);
    else if (most === 1) picked.clear() || picked.add(value);
    draw();
  }
  list.addEventListener("keydown", (event) => {
    const { key } = event;
    const steps = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: items.length - 1 };
    const byLetter = key.length === 1 && key !== " " && !event.ctrlKey && !event.metaKey
      ? options.findIndex((_, index) => options[(active + 1 + index) % options.length].label.toLowerCase().startsWith(key.toLowerCase())) : -1;
    if (key in steps) move(steps[key]);
    else if (key === " ") toggle(active);
    else if (key === "Enter") isMultiple ? mayBeSent() && closeLayer() : toggle(active);
    else if (byLetter >= 0) move(active + 1 + byLetter);
    else return;
    event.preventDefault();
    items[active]?.scrollIntoView({ block: "nearest" });
  });
  draw();
  openLayer(anchor, popup, (isCancelled) => {
    if (!isCancelled && isChanged() && mayBeSent()) onchoose(options.map((option) => option.value).filter((value) => picked.has(value)));
  });
  popup.style.minWidth = `${anchor.getBoundingClientRect().width}px`;
  list.focus({ preventScroll: true });
}

// -------------------------------------------------------------------------------------------------------- modals

/** Opens a form the bot asked for. Text inputs in action rows and labelled inputs and menus are understood. */
function openModal(modal) {
  const inputs = [];
  const field = (component, label, description) => {
    const id = `input-${inputs.length}`;
    const isLong = component.style === 2;
    const isMenu = component.type === 3;
    const control = isMenu
      ? h("select", { id, multiple: (component.max_values ?? 1) > 1, required: component.required !== false },
        (component.max_values ?? 1) === 1 && h("option", { value: "" }, component.placeholder || "Make a selection"),
        component.options.map((option) => h("option", { value: option.value, selected: option.default }, option.label)))
      : h(isLong ? "textarea" : "input", {
        id, name: component.custom_id, placeholder: component.placeholder, minlength: component.min_length, maxlength: component.max_length ?? 4000,
        required: component.required !== false, rows: isLong ? 4 : null, autocomplete: "off", "aria-describedby": description ? `${id}-more` : null,
      });
    if (!isMenu) control.value = component.value ?? "";
    inputs.push({ component, control });
    return h("div", { class: "modal-field" },
      h("label", { for: id }, label || component.label || "Your answer", component.required === false && h("span", { class: "muted" }, " (optional)")),
      description && h("p", { class: "muted", id: `${id}-more` }, description), control);
  };
  const answerOf = ({ component, control }) => component.type === 3
    ? { type: 3, custom_id: component.custom_id, values: [...control.selectedOptions].map((option) => option.value).filter(Boolean) }
    : { type: 4, custom_id: component.custom_id, value: control.value };
  const parts = (modal.components ?? []).map((part) => {
    const inner = part.component ?? part.components?.[0];
    if (part.type === 10) return { shown: h("div", { class: "text" }, markdown(part.content)) };
    if (!inner || ![3, 4].includes(inner.type)) return {};
    const shown = field(inner, part.label, part.description);
    const input = inputs.at(-1);
    return { shown, answer: () => (part.type === 18 ? { type: 18, component: answerOf(input) } : { type: 1, components: [answerOf(input)] }) };
  });
  const problem = h("p", { class: "failed", role: "alert" });
  const submit = h("button", { class: "button s1", type: "submit" }, "Submit");
  const form = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      const data = { id: modal.id, custom_id: modal.custom_id, components: parts.flatMap((part) => part.answer?.() ?? []) };
      const mark = (outcome) => {
        if (outcome === "done") ui.modal.close();
        submit.disabled = outcome === "waiting";
        problem.textContent = outcome === "failed" ? "Something went wrong. Try again." : "";
      };
      await interact(5, { channelId: modal.channel_id ?? state.current, applicationId: modal.application?.id ?? modal.application_id ?? bot()?.id, data, mark });
    },
  },
  h("header", {}, h("h2", { id: "modal-title" }, modal.title),
    h("button", { class: "icon", type: "button", "aria-label": "Close", onclick: () => ui.modal.close() }, icon("close"))),
  parts.map((part) => part.shown), problem,
  h("footer", {}, h("button", { class: "plain", type: "button", onclick: () => ui.modal.close() }, "Cancel"), submit));
  ui.modal.replaceChildren(form);
  if (!ui.modal.open) ui.modal.showModal();
  inputs[0]?.control.focus();
}

// ------------------------------------------------------------------------------------------------------- the log

const rows = new Map(); // message id → {element, bodyStamp, reactionStamp, reactions}
const dividers = new Map(); // day → element
let isPinned = true; // the newest message is in view, and stays so
let lastTop = 0;
let unseen = 0;

function shouldGroup(message, previous) {
  if (!previous || previous.author.id !== message.author.id || message.message_reference || message.referenced_message) return false;
  if (message.interaction_metadata || message.interaction || message.webhook_id !== previous.webhook_id) return false;
  if (hasFlag(message, FLAG.EPHEMERAL) !== hasFlag(previous, FLAG.EPHEMERAL)) return false;
  return createdAt(message.id) - createdAt(previous.id) < GROUP_WITHIN_MS;
}

function renderReference(message) {
  const used = message.interaction_metadata ?? message.interaction;
  const author = message.referenced_message?.author;
  if (author) {
    const { content, embeds } = message.referenced_message;
    const snippet = content || (embeds?.length ? "Click to see the embed" : "Click to see the attachment");
    return h("button", { class: "reference", type: "button", data: { key: "reference" }, "aria-label": `Replying to ${nameOf(author)}: ${snippet}`, onclick: () => showMessage(message.referenced_message.id) },
      avatar(author, "tiny"), h("span", { class: "name" }, nameOf(author)), h("span", { class: "snippet" }, inline(snippet.replace(/\n/g, " "))));
  }
  if (message.type === 19) return h("div", { class: "reference" }, h("em", {}, "The original message was deleted"));
  const user = used?.user ?? state.users.get(used?.user_id);
  if (!user || used.type === 3) return null;
  const name = used.name ?? message.interaction?.name;
  return h("div", { class: "reference" }, avatar(user, "tiny"), h("span", { class: "name" }, nameOf(user)), name && h("span", {}, " used ", h("span", { class: "mention" }, `/${name}`)));
}

function renderBody(message, isGrouped) {
  const author = message.author;
  const at = createdAt(message.id);
  const when = h("time", { datetime: at.toISOString(), title: formats.full.format(at) }, isGrouped ? formats.time.format(at) : sayWhen(at));
  const isEphemeral = hasFlag(message, FLAG.EPHEMERAL);
  const isLoading = hasFlag(message, FLAG.LOADING);
  const inEmbeds = JSON.stringify(message.embeds ?? []);
  const files = (message.attachments ?? []).filter((file) => !inEmbeds.includes(`attachment://${file.filename}"`) && !inEmbeds.includes(`"${file.url}"`));
  const isJumbo = message.content && /^(?:\p{Extended_Pictographic}|[\u{FE0F}\u{200D}\u{1F3FB}-\u{1F3FF}]|\s){1,40}$/u.test(message.content);
  return [
    isGrouped ? null : renderReference(message),
    isGrouped ? h("span", { class: "when-grouped" }, when) : avatar(author),
    h("div", { class: "message-body" },
      !isGrouped && h("div", { class: "byline" }, h("span", { class: "name" }, nameOf(author)), badges(author), when),
      isLoading ? h("div", { class: "text muted" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), `${nameOf(author)} is thinking…`)
        : message.content && h("div", { class: `text${isJumbo ? " jumbo" : ""}` }, markdown(message.content), message.edited_timestamp && h("span", { class: "edited", title: formats.full.format(new Date(message.edited_timestamp)) }, " (edited)")),
      (message.embeds ?? []).map((embed) => renderEmbed(embed, message)),
      !message.content && message.edited_timestamp && !isLoading && h("span", { class: "edited" }, "(edited)"),
      files.length > 0 && h("div", { class: "attachments" }, files.map(renderAttachment)),
      renderComponents(message),
      h("div", { class: "reactions", "aria-live": "off" }),
      isEphemeral && h("p", { class: "ephemeral" }, icon("eye"), "Only you can see this · ",
        h("button", { class: "plain", type: "button", onclick: () => dismiss(message) }, "Dismiss"))),
    !message.isLocal && h("div", { class: "tools", role: "group", "aria-label": "Message actions" },
      !isEphemeral && h("button", { class: "icon", type: "button", title: "Add a reaction", "aria-label": "Add a reaction", data: { key: "tool react" }, onclick: ({ currentTarget }) => pickEmoji(currentTarget, message) }, icon("smile")),
      !isEphemeral && h("button", { class: "icon", type: "button", title: "Reply", "aria-label": `Reply to ${nameOf(author)}`, data: { key: "tool reply" }, onclick: () => startReply(message) }, icon("reply")),
      !isEphemeral && author.id === state.me?.id && h("button", {
        class: "icon", type: "button", title: "Delete", "aria-label": "Delete your message", data: { key: "tool delete" },
        onclick: () => attempt(() => api("DELETE", `/channels/${message.channel_id}/messages/${message.id}`)),
      }, icon("bin"))),
  ];
}

function dismiss(message) {
  removeMessage(message.channel_id, message.id);
  renderLog();
  ui.box.focus();
  if (!message.isLocal) api("DELETE", `/channels/${message.channel_id}/messages/${message.id}`).catch(() => null);
}

/** Makes or refreshes a message's row, replacing only what changed and keeping the focus where it was. */
function rowOf(message, isGrouped) {
  const bodyStamp = `${message.revision ?? 0} ${isGrouped}`;
  const reactionStamp = JSON.stringify(message.reactions ?? []);
  let row = rows.get(message.id);
  if (row && row.bodyStamp === bodyStamp && row.reactionStamp === reactionStamp) return row.element;
  row ??= { element: h("article", { class: "message", data: { id: message.id } }) };
  const focused = row.element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  if (row.bodyStamp !== bodyStamp) {
    const isMention = message.mentions?.some((user) => user.id === state.me?.id);
    row.element.className = `message${isGrouped ? " grouped" : ""}${hasFlag(message, FLAG.EPHEMERAL) ? " private" : ""}${isMention ? " pinged" : ""}`;
    row.element.setAttribute("aria-label", `${nameOf(message.author)}, ${sayWhen(createdAt(message.id))}`);
    row.element.replaceChildren(...renderBody(message, isGrouped).filter(Boolean));
  }
  row.element.querySelector(".reactions").replaceChildren(...renderReactions(message));
  if (focused) row.element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  rows.set(message.id, Object.assign(row, { bodyStamp, reactionStamp }));
  return row.element;
}

function renderStart(channel, isEmpty) {
  const about = {
    support: "Type a sentence with [MASK] in it: fillbot fills the blank with the words that fit best. Vote 👍 or 👎 on the bold word, and a better model learns from the votes.",
    reports: "Every run that learns from your votes reports here: what changed, how it was measured, and whether the new model serves now.",
    "@me": "This is your direct conversation with fillbot. Nobody else reads along. Every command works here too.",
  }[channelKey(channel)] ?? channel.topic ?? "Ask fillbot something.";
  const chips = EXAMPLES.map((text) => h("button", { class: "chip", type: "button", onclick: () => putInBox(text) }, text));
  return h("section", { class: "start", "aria-label": "Start of the conversation" },
    h("h2", {}, isDirect(channel) ? channelName(channel) : `Welcome to #${channelName(channel)}`), h("p", {}, about),
    isEmpty && channelKey(channel) !== "reports" && [h("p", { class: "muted" }, "Try one of these:"), h("div", { class: "chips" }, chips)]);
}

function divider(day, date) {
  if (!dividers.has(day)) dividers.set(day, h("div", { class: "divider", role: "separator" }, h("span", {}, formats.longDate.format(date))));
  return dividers.get(day);
}

let startCard = null;
function renderLog() {
  const channel = state.channels.get(state.current);
  if (!channel) return ui.log.replaceChildren();
  const log = logOf(channel.id);
  const wanted = [];
  const isEmpty = log.messages.length === 0;
  if (log.isComplete) {
    const key = `${state.token} ${channel.id} ${isEmpty}`;
    if (startCard?.key !== key) startCard = { key, element: renderStart(channel, isEmpty) };
    wanted.push(startCard.element);
  } else wanted.push(...ui.log.querySelectorAll(".loading"), ...(ui.log.querySelector(".loading") ? [] : [h("p", { class: "loading muted" }, "Loading messages…")]));
  let previous = null;
  for (const message of log.messages) {
    const at = createdAt(message.id);
    const isNewDay = !previous || dayOf(createdAt(previous.id)) !== dayOf(at);
    if (isNewDay) wanted.push(divider(dayOf(at), at));
    wanted.push(rowOf(message, !isNewDay && shouldGroup(message, previous)));
    previous = message;
  }
  const kept = new Set(wanted);
  for (const element of [...ui.log.children]) if (!kept.has(element)) element.remove();
  let cursor = ui.log.firstChild;
  for (const element of wanted) {
    if (element === cursor) cursor = cursor.nextSibling;
    else ui.log.insertBefore(element, cursor);
  }
  if (isPinned) scrollToNewest();
}

function scrollToNewest() {
  ui.scroller.scrollTop = ui.scroller.scrollHeight;
  unseen = 0;
  isPinned = true;
  ui.newest.hidden = true;
}

function showUnseen() {
  ui.newest.hidden = isPinned;
  ui.newest.textContent = unseen ? `${unseen} new ${unseen === 1 ? "message" : "messages"} · Jump to newest` : "Jump to newest";
}

function showMessage(id) {
  const element = rows.get(id)?.element;
  if (!element?.isConnected) return toast("That message is further up. Scroll up to load it.");
  element.scrollIntoView({ block: "center" });
  element.classList.add("flash");
  setTimeout(() => element.classList.remove("flash"), 1500);
}

/** Loads older messages above and keeps what is being read where it is. */
async function loadOlder() {
  const log = logOf(state.current);
  if (log.isComplete || log.isLoading || !log.isLoaded) return;
  const anchor = rows.get(log.messages[0]?.id)?.element;
  ui.log.setAttribute("aria-busy", "true"); // old messages are not news
  await loadHistory(state.current, { older: true });
  const before = anchor?.getBoundingClientRect().top;
  renderLog();
  if (anchor?.isConnected) ui.scroller.scrollTop += anchor.getBoundingClientRect().top - before;
  ui.log.removeAttribute("aria-busy");
}

ui.scroller.addEventListener("scroll", () => {
  const { scrollTop, scrollHeight, clientHeight } = ui.scroller;
  if (scrollHeight - scrollTop - clientHeight < 48) isPinned = true;
  else if (scrollTop < lastTop) isPinned = false; // only a person scrolls up; pictures merely make the log longer
  lastTop = scrollTop;
  if (isPinned) unseen = 0;
  showUnseen();
  if (layer) closeLayer({ isCancelled: layer.popup.classList.contains("emoji-picker") });
  if (scrollTop < 300 && state.current) loadOlder();
}, { passive: true });
new ResizeObserver(() => isPinned && scrollToNewest()).observe(ui.log);
new ResizeObserver(() => isPinned && scrollToNewest()).observe(ui.scroller);
ui.newest.addEventListener("click", () => {
  scrollToNewest();
  ui.box.focus();
});

// ------------------------------------------------------------------------------------------- channels and people

/** Channels in the guild's order, threads under theirs, then direct messages. */
function orderedChannels() {
  const all = [...state.channels.values()].sort((a, b) => (a.position ?? 0) - (b.position ?? 0) || (isOlder(a.id, b.id) ? -1 : 1));
  const threads = all.filter(isThread);
  const texts = all.filter(({ type }) => type === 0 || type === 5);
  return [...texts.flatMap((channel) => [channel, ...threads.filter((thread) => thread.parent_id === channel.id)]), ...all.filter(isDirect)];
}

function renderSidebar() {
  const heading = (text) => h("h2", { class: "group" }, text);
  const item = (channel) => {
    const count = state.unread.get(channel.id);
    const mark = isDirect(channel) ? avatar(partnerOf(channel) ?? { username: "?" }, "small") : h("span", { class: "hash", "aria-hidden": "true" }, isThread(channel) ? "↳" : "#");
    return h("button", {
      class: `channel${count ? " unread" : ""}${isThread(channel) ? " thread" : ""}`, type: "button", "aria-current": channel.id === state.current && "page", data: { channel: channelKey(channel) },
      onclick: () => openChannel(channel.id),
    }, mark, h("span", { class: "channel-label" }, channelName(channel)), count && h("span", { class: "count", "aria-label": `${count} unread` }, String(count)));
  };
  const all = orderedChannels();
  const focused = ui.channels.contains(document.activeElement) ? document.activeElement.dataset.channel : null;
  ui["guild-name"].textContent = state.guild?.name ?? "fillbot sandbox";
  ui.channels.replaceChildren(
    ...(all.some((channel) => !isDirect(channel)) ? [heading("Channels"), ...all.filter((channel) => !isDirect(channel)).map(item)] : []),
    ...(all.some(isDirect) ? [heading("Direct messages"), ...all.filter(isDirect).map(item)] : []));
  if (focused) ui.channels.querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
  const total = [...state.unread.values()].reduce((sum, count) => sum + count, 0);
  const channel = state.channels.get(state.current);
  document.title = `${total ? `(${total}) ` : ""}${channel ? `${isDirect(channel) ? "@" : "#"}${channelName(channel)} · ` : ""}fillbot sandbox`;
}

function renderPeople() {
  ui.people.replaceChildren(...PEOPLE.map((name) => {
    const input = h("input", { type: "radio", name: "person", value: name, class: "hidden", onchange: () => becomePerson(name) });
    input.checked = name === state.token;
    return h("label", { class: "person" }, input, avatar({ id: name, username: name }, "small"), h("span", {}, capitalised(name)), name === PEOPLE[0] && h("span", { class: "badge admin" }, "ADMIN"));
  }));
}

function renderHeader() {
  const channel = state.channels.get(state.current);
  if (!channel) return;
  ui["channel-name"].replaceChildren(isDirect(channel) ? "@ " : "# ", channelName(channel));
  ui.topic.textContent = channel.topic ?? "";
  const robot = bot();
  const isOnline = robot && state.online.has(robot.id);
  ui.presence.className = `presence ${isOnline ? "online" : "offline"}`;
  ui.presence.textContent = `${robot ? nameOf(robot) : "The bot"} is ${isOnline ? "online" : "offline"}`;
  const label = `Message ${isDirect(channel) ? "@" : "#"}${channelName(channel)} as ${capitalised(state.token)}`;
  ui["box-label"].textContent = label;
  ui.box.placeholder = label;
}

async function openChannel(channelId) {
  const channel = state.channels.get(channelId);
  if (!channel) return;
  if (state.current) keepDraft();
  state.current = channelId;
  state.replyTo = null;
  wantedChannel = channelKey(channel);
  state.unread.delete(channelId);
  isPinned = true;
  unseen = 0;
  history.replaceState(null, "", `#${state.token}/${wantedChannel}`);
  ui.box.value = drafts.get(`${state.token} ${wantedChannel}`) ?? "";
  closeSidebar();
  ui.log.setAttribute("aria-busy", "true");
  for (const paint of [renderSidebar, renderHeader, renderLog, renderReplying, renderTyping, boxChanged]) paint();
  if (!matchMedia("(pointer: coarse)").matches && !ui.people.contains(document.activeElement)) ui.box.focus();
  if (!logOf(channelId).isLoaded) await loadHistory(channelId);
  if (state.current === channelId) renderLog();
  ui.log.removeAttribute("aria-busy");
}

function becomePerson(name) {
  if (state.current) keepDraft();
  gateway?.close();
  for (const { timer } of state.waiting.values()) clearTimeout(timer);
  state = freshState(name);
  for (const cache of [rows, dividers]) cache.clear();
  closeLayer({ isCancelled: true });
  if (ui.modal.open) ui.modal.close();
  remember(name);
  history.replaceState(null, "", `#${name}/${wantedChannel ?? "support"}`);
  for (const radio of ui.people.querySelectorAll("input")) radio.checked = radio.value === name;
  gateway = new Gateway(name, receive, showConnection);
}

function remember(name) {
  try {
    localStorage.setItem("fillbot.person", name);
  } catch { /* storage may be switched off; the address remembers too */ }
}

function remembered() {
  try {
    return localStorage.getItem("fillbot.person");
  } catch {
    return null;
  }
}

function showConnection(status) {
  const text = { lost: "Connection lost. Trying again…", refused: `The server does not know ${capitalised(state.token)}.` }[status] ?? "";
  ui.banner.textContent = text;
  ui.banner.hidden = !text;
}

function closeSidebar() {
  ui.app.classList.remove("open");
  ui.scrim.hidden = true;
  ui.menu.setAttribute("aria-expanded", "false");
}
ui.menu.append(icon("menu"));
ui.menu.addEventListener("click", () => {
  const isOpen = ui.app.classList.toggle("open");
  ui.scrim.hidden = !isOpen;
  ui.menu.setAttribute("aria-expanded", String(isOpen));
  if (isOpen) ui.channels.querySelector("button")?.focus();
});
ui.scrim.addEventListener("click", closeSidebar);
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || !ui.app.classList.contains("open")) return;
  closeSidebar();
  ui.menu.focus();
});

function renderTyping() {
  const now = Date.now();
  const typists = [...(state.typing.get(state.current) ?? [])].filter(([id, until]) => until > now && id !== state.me?.id);
  const names = typists.map(([id]) => nameOf(state.users.get(id) ?? { username: "someone" }));
  const text = names.length === 0 ? "" : names.length > 3 ? "Several people are typing…" : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…`;
  if (ui.typing.dataset.text === text) return;
  ui.typing.dataset.text = text;
  ui.typing.replaceChildren(...(text ? [h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), text] : []));
}
setInterval(renderTyping, 1_000);

// ------------------------------------------------------------------------------------------------ slash commands

/** Lists the commands as typed: subcommands become commands of two or three words. */
function spellOut(command) {
  const leaf = (node, path) => ({
    id: command.id, application: command.application_id, version: command.version, root: command.name, guild: command.guild_id,
    path, words: [command.name, ...path.map((part) => part.name)].join(" "), description: node.description,
    options: [...(node.options ?? [])].sort((a, b) => Number(Boolean(b.required)) - Number(Boolean(a.required))),
  });
  const walk = (node, path) => {
    const inner = (node.options ?? []).filter((option) => option.type <= 2);
    return inner.length ? inner.flatMap((child) => walk(child, [...path, child])) : [leaf(node, path)];
  };
  return (command.type ?? 1) === 1 ? walk(command, []) : [];
}

async function loadCommands() {
  const world = state;
  const application = bot()?.id;
  if (!application) return;
  const paths = [`/applications/${application}/commands`, `/applications/${application}/guilds/${state.guild?.id}/commands`];
  const lists = await Promise.all(paths.map((path) => api("GET", path).catch(() => [])));
  if (world !== state) return;
  const byWords = new Map(lists.flat().flatMap(spellOut).map((command) => [command.words, command])); // the guild's win
  state.commands = [...byWords.values()].sort((a, b) => a.words.localeCompare(b.words));
}

/** Reads `/name option: value option: value` as far as it has been typed; null when it is no known command. */
function readSlash(text) {
  if (!text.startsWith("/")) return null;
  const typed = text.slice(1);
  const fits = state.commands.filter((command) => typed === command.words || typed.startsWith(`${command.words} `));
  const command = fits.sort((a, b) => b.words.length - a.words.length)[0];
  if (!command) return null;
  const offset = 1 + command.words.length;
  const rest = text.slice(offset);
  const names = command.options.map((option) => option.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const marks = names ? [...rest.matchAll(new RegExp(`(?<=\\s)(${names}):`, "g"))] : [];
  const given = marks.map((mark, index) => {
    const start = mark.index + mark[0].length;
    const end = marks[index + 1]?.index ?? rest.length;
    return { name: mark[1], raw: rest.slice(start, end).trim(), start: offset + start, end: offset + end };
  });
  const loose = rest.slice(0, marks[0]?.index ?? rest.length).trim(); // typed without a name: the first option
  const first = command.options.find((option) => !given.some(({ name }) => name === option.name));
  if (loose && first) given.unshift({ name: first.name, raw: loose, start: offset + 1, end: offset + (marks[0]?.index ?? rest.length), isLoose: true });
  return { command, given, hasSpace: rest.length > 0 };
}

/** Turns what was typed into the options of an interaction; throws a sentence when something is missing or wrong. */
function slashData({ command, given }, focus = null) {
  const options = given.map(({ name, raw }) => {
    const option = command.options.find((candidate) => candidate.name === name);
    const value = focus === name ? raw : typedValue(option, raw);
    return { type: option.type, name, value, ...(focus === name && { focused: true }) };
  }).filter(({ value, focused }) => focused || value !== "");
  if (!focus) {
    const missing = command.options.find((option) => option.required && !options.some(({ name }) => name === option.name));
    if (missing) throw new Error(`/${command.words} needs “${missing.name}”: ${missing.description}`);
  }
  const nested = command.path.reduceRight((inner, part) => [{ type: part.type, name: part.name, options: inner }], options);
  return { id: command.id, name: command.root, type: 1, version: command.version, guild_id: command.guild, options: nested, attachments: [] };
}

function typedValue(option, raw) {
  const choice = option.choices?.find(({ name, value }) => name.toLowerCase() === raw.toLowerCase() || String(value) === raw);
  if (choice) return choice.value;
  if (option.choices?.length && raw) throw new Error(`“${option.name}” is one of: ${option.choices.map(({ name }) => name).join(", ")}.`);
  const complain = (what) => { throw new Error(`“${option.name}” should be ${what}.`); };
  const byName = (things, naming) => things.find((thing) => thing.id === raw.replace(/\D/g, "") || naming(thing).toLowerCase() === raw.replace(/^[@#]/, "").toLowerCase());
  if (raw === "" || option.type === 3) return raw;
  if (option.type === 4) return /^[-+]?\d+$/.test(raw) ? Number(raw) : complain("a whole number");
  if (option.type === 10) return Number.isFinite(Number(raw)) ? Number(raw) : complain("a number");
  if (option.type === 5) return /^(true|yes|on)$/i.test(raw) || (/^(false|no|off)$/i.test(raw) ? false : complain("true or false"));
  if (option.type === 6 || option.type === 9) return byName([...state.users.values()], (user) => user.username)?.id ?? complain("a person, as @name");
  if (option.type === 7) return byName([...state.channels.values()], channelName)?.id ?? complain("a channel, as #name");
  if (option.type === 8) return byName([...state.roles.values()], (role) => role.name)?.id ?? complain("a role, as @name");
  return complain("something this page can send");
}

async function sendSlash(slash) {
  const channelId = state.current;
  const data = slashData(slash);
  const mark = (outcome) => {
    if (outcome !== "failed") return;
    const author = bot() ?? state.me;
    insertMessage({ id: makeNonce(), channel_id: channelId, author, flags: FLAG.EPHEMERAL, content: `${nameOf(author)} did not answer /${slash.command.words}. Is it running?`, isLocal: true });
    renderLog();
  };
  return interact(2, { channelId, applicationId: slash.command.application ?? bot()?.id, data, mark });
}

// -------------------------------------------------------------------------------------------------- the composer

let offered = []; // {insert(), label, more}
let active = -1;
let recalled = -1; // how far back in `sent`
let lastTypingAt = 0;
let asked = { key: null, choices: [] }; // the last autocompletion
let askTimer = null;

function keepDraft() {
  const channel = state.channels.get(state.current);
  if (channel) drafts.set(`${state.token} ${channelKey(channel)}`, ui.box.value);
}

function putInBox(text) {
  ui.box.value = text;
  ui.box.focus();
  ui.box.setSelectionRange(text.length, text.length);
  boxChanged();
}

function boxChanged() {
  ui.box.style.height = "auto";
  ui.box.style.height = `${Math.min(ui.box.scrollHeight, innerHeight * 0.4)}px`;
  const left = MAX_CHARS - ui.box.value.length;
  ui.counter.textContent = left <= 200 ? String(left) : "";
  ui.counter.classList.toggle("over", left < 0);
  ui.send.disabled = ui.box.value.trim() === "" || left < 0;
  suggest();
}

/** Offers what could be typed next: commands, their options, and the values of an option. */
function suggest() {
  const text = ui.box.value;
  const cursorAtEnd = ui.box.selectionStart === text.length;
  let title = "";
  let items = [];
  if (cursorAtEnd && /^[/!][\w-]*(?: [\w-]*){0,2}$/.test(text)) {
    const isSlash = text[0] === "/";
    const start = text.slice(1).toLowerCase();
    const fits = state.commands.filter((command) => command.words.startsWith(start) && (isSlash || command.words !== start));
    if (isSlash || start) items = fits.slice(0, 25).map((command) => ({
      label: text[0] + command.words, hint: command.options.map((option) => option.name).join("  "), more: command.description,
      insert: () => putInBox(text[0] + command.words + (command.options.length ? ` ${isSlash && command.options[0].required ? `${command.options[0].name}: ` : ""}` : "")),
    }));
    title = items.length ? "Commands" : isSlash && !readSlash(text) ? "No command of that name" : "";
  }
  const slash = readSlash(text);
  if (slash?.hasSpace && cursorAtEnd) ({ title, items } = suggestOptions(slash, text));
  offered = items;
  active = items.length && text.startsWith("/") && !slash?.hasSpace ? 0 : -1;
  ui["suggestions-title"].textContent = title;
  ui.suggestions.hidden = !title;
  renderSuggestions();
}

function suggestOptions(slash, text) {
  const { command, given } = slash;
  const current = given.find(({ start, end }) => start <= text.length && end === text.length);
  const option = current && command.options.find(({ name }) => name === current.name);
  const rest = command.options.filter(({ name }) => !given.some((one) => one.name === name));
  const title = option ? `${option.name}${option.required ? "" : " (optional)"}: ${option.description}` : `/${command.words}: ${command.description}`;
  const replace = (value) => putInBox(`${text.slice(0, current.start)}${current.isLoose ? "" : " "}${value} `);
  let values = [];
  if (option?.autocomplete) values = completions(slash, current).map(({ name, value }) => ({ label: name, insert: () => replace(value) }));
  else if (option) {
    const all = option.choices?.map(({ name }) => name) ?? { 5: ["true", "false"], 6: [...state.users.values()].map((user) => `@${user.username}`), 7: orderedChannels().filter((channel) => !isDirect(channel)).map((channel) => `#${channel.name}`) }[option.type] ?? [];
    values = all.filter((name) => name.toLowerCase().includes(current.raw.toLowerCase()) && name !== current.raw).map((name) => ({ label: name, insert: () => replace(name) }));
  }
  const isBetween = !current || current.raw === "" || text.endsWith(" ");
  const names = !isBetween || (current && current.raw === "") ? [] : rest.map((one) => ({
    label: `${one.name}:`, hint: one.required ? "needed" : "optional", more: one.description, insert: () => putInBox(`${text.trimEnd()} ${one.name}: `),
  }));
  return { title, items: [...values.slice(0, 25), ...names] };
}

/** The bot's own completions for the option being typed; asks for them and offers what came for this very text. */
function completions(slash, current) {
  const key = `${slash.command.words} ${current.name} ${current.raw}`;
  if (asked.key === key) return asked.choices;
  const earlier = asked.choices;
  clearTimeout(askTimer);
  askTimer = setTimeout(async () => {
    const nonce = makeNonce();
    asked = { key, choices: [], nonce };
    let data;
    try {
      data = slashData({ command: slash.command, given: slash.given }, current.name);
    } catch {
      return; // another option is not readable yet
    }
    const channel = state.channels.get(state.current);
    const body = { type: 4, nonce, application_id: slash.command.application ?? bot()?.id, channel_id: state.current, session_id: state.session, data, guild_id: isDirect(channel) ? undefined : state.guild?.id };
    await api("POST", "/interactions", body).catch(() => null);
  }, 150);
  return earlier.filter(({ name }) => name.toLowerCase().includes(current.raw.toLowerCase()));
}

function renderSuggestions() {
  ui["suggestion-list"].replaceChildren(...offered.map((item, index) => h("li", {
    role: "option", id: `suggestion-${index}`, "aria-selected": String(index === active), class: index === active ? "active" : null,
    onpointerdown: (event) => {
      event.preventDefault(); // the box keeps the focus
      item.insert();
    },
  }, h("span", { class: "suggestion-name" }, item.label, item.hint && h("span", { class: "suggestion-hint" }, item.hint)), item.more && h("span", { class: "muted" }, item.more))));
  if (active >= 0) {
    ui.box.setAttribute("aria-activedescendant", `suggestion-${active}`);
    ui["suggestion-list"].children[active].scrollIntoView({ block: "nearest" });
  } else ui.box.removeAttribute("aria-activedescendant");
}

function startReply(message) {
  state.replyTo = message;
  renderReplying();
  ui.box.focus();
}

function renderReplying() {
  ui.replying.hidden = !state.replyTo;
  if (!state.replyTo) return ui.replying.replaceChildren();
  ui.replying.replaceChildren(h("span", {}, "Replying to ", h("strong", {}, nameOf(state.replyTo.author))),
    h("button", { class: "icon", type: "button", "aria-label": "Cancel the reply", onclick: () => startReplyCancelled() }, icon("close")));
}

function startReplyCancelled() {
  state.replyTo = null;
  renderReplying();
  ui.box.focus();
}

async function sendBox() {
  const text = ui.box.value.trim();
  if (!text) return;
  if (ui.box.value.length > MAX_CHARS) return toast(`A message holds ${MAX_CHARS} characters; this one has ${ui.box.value.length}.`);
  if (!state.me) return toast("Not connected yet. Your text stays in the box.");
  const slash = readSlash(text);
  const channelId = state.current;
  const reply = state.replyTo;
  let action = () => api("POST", `/channels/${channelId}/messages`, { content: text, nonce: makeNonce(), message_reference: reply ? { message_id: reply.id, channel_id: channelId } : undefined });
  if (slash) {
    try {
      slashData(slash);
    } catch (error) {
      return toast(error.message);
    }
    action = null;
  } else if (/^\/[a-z]/.test(text) && state.commands.length) return toast(`There is no command ${text.split(/\s/)[0]}. Type / to see all.`);
  sent.push(text);
  recalled = -1;
  state.replyTo = null;
  lastTypingAt = 0;
  putInBox("");
  renderReplying();
  scrollToNewest();
  const worked = action ? await attempt(action) : await sendSlash(slash);
  if (!worked && ui.box.value === "" && state.current === channelId) putInBox(text);
}

function recall(step) {
  const next = recalled + step;
  if (next >= sent.length || next < -1) return;
  recalled = next;
  putInBox(next < 0 ? "" : sent[sent.length - 1 - next]);
  ui.suggestions.hidden = true;
  offered = [];
}

function accept(index) {
  offered[index]?.insert();
}

ui.box.addEventListener("keydown", (event) => {
  const { key } = event;
  if (event.isComposing) return;
  const isOpen = !ui.suggestions.hidden && offered.length > 0;
  if (isOpen && (key === "ArrowDown" || key === "ArrowUp")) {
    event.preventDefault();
    active = key === "ArrowDown" ? (active + 1) % offered.length : (Math.max(active, 0) - 1 + offered.length) % offered.length;
    renderSuggestions();
  } else if (isOpen && key === "Tab" && !event.shiftKey) {
    event.preventDefault();
    accept(Math.max(active, 0));
  } else if (key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    const slash = readSlash(ui.box.value);
    const isReady = slash && !slash.hasSpace && !slash.command.options.some((option) => option.required);
    if (isOpen && active >= 0 && !isReady) accept(active);
    else sendBox();
  } else if (key === "Escape") {
    if (!ui.suggestions.hidden) ui.suggestions.hidden = true;
    else if (state.replyTo) startReplyCancelled();
    else scrollToNewest();
  } else if (key === "ArrowUp" && (ui.box.value === "" || recalled >= 0)) {
    event.preventDefault();
    recall(1);
  } else if (key === "ArrowDown" && recalled >= 0) {
    event.preventDefault();
    recall(-1);
  }
});
ui.box.addEventListener("input", () => {
  recalled = -1;
  boxChanged();
  const isCommand = ui.box.value.startsWith("/");
  if (ui.box.value && !isCommand && Date.now() - lastTypingAt > 8_000 && state.current) {
    lastTypingAt = Date.now();
    api("POST", `/channels/${state.current}/typing`).catch(() => null);
  }
});
ui.box.addEventListener("blur", () => { ui.suggestions.hidden = true; });
ui.box.addEventListener("focus", suggest);
ui.send.append(icon("send"));
ui.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  sendBox();
});
// Typing anywhere goes to the box, as people are used to.
document.addEventListener("keydown", (event) => {
  const isFree = document.activeElement === document.body || document.activeElement === ui.scroller;
  if (isFree && event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) ui.box.focus();
});

// ---------------------------------------------------------------------------------------------------- the events

const events = {
  READY(data) {
    if (state.me) { // a new session after a drop that could not be resumed: everything is read again
      keepDraft();
      state = freshState(state.token);
      rows.clear();
    }
    state.me = data.user;
    state.session = data.session_id;
    learnUser(data.user);
    for (const channel of data.private_channels ?? []) learnChannel(channel);
  },

  async GUILD_CREATE(guild) {
    const world = state;
    state.guild = guild;
    for (const role of guild.roles ?? []) state.roles.set(role.id, role);
    for (const member of guild.members ?? []) learnUser(member.user, member);
    for (const channel of [...(guild.channels ?? []), ...(guild.threads ?? [])]) state.channels.set(channel.id, channel);
    state.online = new Set((guild.presences ?? []).filter((presence) => presence.status !== "offline").map((presence) => presence.user.id));
    loadCommands();
    const robot = bot();
    if (robot && ![...state.channels.values()].some(isDirect)) {
      await attempt(async () => learnChannel(await api("POST", "/users/@me/channels", { recipient_id: robot.id })));
    }
    if (world !== state) return;
    const all = orderedChannels();
    const target = state.channels.get(state.current) ?? all.find((channel) => channelKey(channel) === wantedChannel) ?? all[0];
    if (target) await openChannel(target.id);
  },

  CHANNEL_CREATE: (channel) => { learnChannel(channel); renderSidebar(); },
  CHANNEL_UPDATE: (channel) => { learnChannel(channel); renderSidebar(); renderHeader(); },
  CHANNEL_DELETE: (channel) => { state.channels.delete(channel.id); renderSidebar(); },
  THREAD_CREATE: (channel) => { learnChannel(channel); renderSidebar(); },
  THREAD_DELETE: (channel) => { state.channels.delete(channel.id); renderSidebar(); },
  GUILD_MEMBER_ADD: (member) => { learnUser(member.user, member); if (member.user.bot) loadCommands(); renderHeader(); },
  GUILD_MEMBER_UPDATE: (member) => learnUser(member.user, member),
  GUILD_ROLE_UPDATE: ({ role }) => state.roles.set(role.id, role),

  PRESENCE_UPDATE({ user, status }) {
    if (status === "offline") state.online.delete(user.id);
    else state.online.add(user.id);
    if (state.users.get(user.id)?.bot) {
      renderHeader();
      loadCommands();
    }
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
    if (message.channel_id !== state.current) {
      state.unread.set(message.channel_id, (state.unread.get(message.channel_id) ?? 0) + 1);
      return renderSidebar();
    }
    if (message.author.id === state.me?.id) isPinned = true;
    if (!isPinned) unseen += 1;
    renderTyping();
    renderLog();
    showUnseen();
  },

  MESSAGE_UPDATE(change) {
    const message = findMessage(change.channel_id, change.id);
    if (!message) return;
    const { reactions, ...rest } = change; // an edit says nothing new about reactions
    Object.assign(message, rest, { hasFailed: false });
    if (reactions && !message.reactions) message.reactions = reactions;
    touch(message);
    renderLog();
  },

  MESSAGE_DELETE({ channel_id: channelId, id }) {
    removeMessage(channelId, id);
    renderLog();
  },

  MESSAGE_DELETE_BULK({ channel_id: channelId, ids }) {
    for (const id of ids) removeMessage(channelId, id);
    renderLog();
  },

  MESSAGE_REACTION_ADD: (event) => countReaction(event, +1),
  MESSAGE_REACTION_REMOVE: (event) => countReaction(event, -1),
  MESSAGE_REACTION_REMOVE_ALL: (event) => keepReactions(event, () => false),
  MESSAGE_REACTION_REMOVE_EMOJI: (event) => keepReactions(event, ({ emoji }) => emojiKey(emoji) !== emojiKey(event.emoji)),

  INTERACTION_SUCCESS: ({ nonce }) => state.waiting.get(nonce)?.settle("done"),
  INTERACTION_FAILURE: ({ nonce }) => state.waiting.get(nonce)?.settle("failed"),
  INTERACTION_MODAL_CREATE(modal) {
    state.waiting.get(modal.nonce)?.settle("done");
    openModal(modal);
  },
  APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE({ nonce, choices }) {
    if (asked.nonce !== nonce) return;
    asked.choices = choices ?? [];
    suggest();
  },
};

function learnChannel(channel) {
  state.channels.set(channel.id, { ...state.channels.get(channel.id), ...channel });
  for (const user of channel.recipients ?? []) learnUser(user);
}

function countReaction({ channel_id: channelId, message_id: messageId, user_id: userId, emoji }, step) {
  const message = findMessage(channelId, messageId);
  if (!message) return;
  const reactions = structuredClone(message.reactions ?? []);
  let entry = reactions.find((reaction) => emojiKey(reaction.emoji) === emojiKey(emoji));
  if (!entry) reactions.push((entry = { emoji, count: 0, me: false }));
  entry.count += step;
  if (userId === state.me?.id) entry.me = step > 0;
  message.reactions = reactions.filter((reaction) => reaction.count > 0);
  renderLog();
}

function keepReactions({ channel_id: channelId, message_id: messageId }, isKept) {
  const message = findMessage(channelId, messageId);
  if (!message) return;
  message.reactions = (message.reactions ?? []).filter(isKept);
  renderLog();
}

function receive(name, data) {
  events[name]?.(data);
}

// ----------------------------------------------------------------------------------------------------- the start

function readAddress() {
  const [person, channel] = decodeURIComponent(location.hash.slice(1)).split("/");
  return { person: PEOPLE.includes(person) ? person : null, channel: channel || null };
}

addEventListener("hashchange", () => {
  const { person, channel } = readAddress();
  wantedChannel = channel ?? wantedChannel;
  if (person && person !== state.token) return becomePerson(person);
  const target = orderedChannels().find((one) => channelKey(one) === channel);
  if (target && target.id !== state.current) openChannel(target.id);
});
addEventListener("pagehide", () => gateway?.close());
addEventListener("pageshow", ({ persisted }) => persisted && becomePerson(state.token));

const address = readAddress();
wantedChannel = address.channel;
renderPeople();
becomePerson(address.person ?? (PEOPLE.includes(remembered()) ? remembered() : PEOPLE[0]));
boxChanged();
