// Discord's subset of Markdown.

import { h } from "./dom.js";
import { tell } from "./signals.js";
import { nameOf, state } from "./state.js";
import { say } from "./texts.js";
import { stamp } from "./times.js";

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

/** Renders Discord's subset of Markdown. Returns a fragment of elements and text nodes. */
export function markdown(text, depth = 0) {
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
  if (kind === "fence") return codeBlock(match[2]);
  if (kind === "quoteAll") return h("blockquote", {}, markdown(match[1], depth + 1));
  if (kind === "quote") {
    return h("blockquote", {}, markdown(match[1].replace(/^> ?/gm, "").replace(/\n$/, ""), depth + 1));
  }
  if (kind === "heading") {
    const level = match[1].length;
    return h("div", { class: `heading h${level}`, role: "heading", "aria-level": level + 2 }, inline(match[2], depth));
  }
  if (kind === "small") return h("div", { class: "subtext" }, inline(match[1], depth));
  const lines = match[1].trimEnd().split("\n").map((line) => /^([ \t]*)([-*]|\d+\.) +(.*)$/.exec(line));
  const isOrdered = /\d/.test(lines[0][2]);
  const items = lines.map(([, indent, , words]) =>
    h("li", { class: indent.length >= 2 ? "deeper" : null }, inline(words, depth + 1)));
  return h(isOrdered ? "ol" : "ul", { start: isOrdered ? parseInt(lines[0][2], 10) : null }, items);
}

const codeBlock = (code) => h("pre", {}, h("code", {}, code));

export function inline(text, depth = 0) {
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
    case "fence": return codeBlock(match[2]);
    case "code": return h("code", {}, match[2].trim() ? match[2].replace(/^ (.+) $/, "$1") : match[2]);
    case "both": return h("strong", {}, h("em", {}, within()));
    case "bold": return h("strong", {}, within());
    case "underline": return h("u", {}, within());
    case "italic": return h("em", {}, within());
    case "strike": return h("s", {}, within());
    case "spoiler": return spoiler(within());
    case "named": return link(match[2], within());
    case "link": return link(match[1], match[1]);
    case "user": {
      const user = state.users.get(match[1]);
      return mention(`@${user ? nameOf(user) : "unknown-user"}`, { isMe: match[1] === state.me?.id });
    }
    case "role": return mention(`@${state.roles.get(match[1])?.name ?? "unknown-role"}`);
    case "channel": {
      const name = state.channels.get(match[1])?.name ?? "unknown";
      return mention(`#${name}`, { onclick: () => tell("open", match[1]) });
    }
    case "command": return mention(`/${match[1]}`, { onclick: () => tell("write", `/${match[1]} `) });
    case "stamp": return stamp(new Date(Number(match[1]) * 1000), match[2]);
    case "everyone": return mention(match[1]);
    default: return document.createTextNode(match[1]);
  }
}

function spoiler(content) {
  const reveal = () => cover.replaceWith(h("span", { class: "spoiler shown" }, [...cover.firstChild.childNodes]));
  const label = say("Spoiler, press to show");
  const cover = h("button", { class: "spoiler", type: "button", "aria-label": label, onclick: reveal },
    h("span", {}, content));
  return cover;
}

export const link = (href, content) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, content);

function mention(text, { isMe = false, onclick = null } = {}) {
  const tag = onclick ? "button" : "span";
  return h(tag, { class: `mention${isMe ? " me" : ""}`, type: onclick && "button", onclick }, text);
}
