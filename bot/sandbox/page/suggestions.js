// Suggestions while typing: commands, their options, the values of an option, names of people and channels.

import { h, ui } from "./dom.js";
import { interactionBody } from "./interactions.js";
import { namesFor } from "./mentions.js";
import { api } from "./rest.js";
import { tell } from "./signals.js";
import { readSlash, slashData } from "./slash.js";
import { bot, isDirect, orderedChannels, state } from "./state.js";
import { say } from "./texts.js";
import { makeNonce } from "./times.js";

const MAX_SHOWN = 25;
const ASK_AFTER_MS = 150;
const COMMAND_START = /^[/!][\w-]*(?: [\w-]*){0,2}$/;

let offered = []; // {label, hint, more, text}: what to show, and what the box holds when it is taken
let active = -1;
let asked = { key: null, choices: [] }; // the last autocompletion
let askTimer = null;

const write = (text) => tell("write", text);

/** Shows the suggestions for the text in the box. */
export function suggest() {
  const text = ui.box.value;
  const slash = readSlash(text);
  const names = namesFor(text);
  const isAtEnd = ui.box.selectionStart === text.length;
  let found = { title: "", items: [] };
  if (isAtEnd && slash?.hasSpace) found = suggestOptions(slash, text);
  else if (isAtEnd && COMMAND_START.test(text)) found = suggestCommands(text, slash);
  else if (isAtEnd && names.length) found = suggestNames(names);
  offered = found.items;
  active = found.isFirstActive ? 0 : -1;
  ui["suggestions-title"].textContent = found.title;
  ui.suggestions.hidden = !found.title;
  render();
}

export function hideSuggestions() {
  const wasOpen = !ui.suggestions.hidden;
  ui.suggestions.hidden = true;
  ui.box.removeAttribute("aria-activedescendant");
  offered = [];
  active = -1;
  return wasOpen;
}

export const isOffering = () => !ui.suggestions.hidden && offered.length > 0;
export const isActive = () => isOffering() && active >= 0;

export function moveActive(step) {
  active = (active < 0 && step < 0 ? offered.length - 1 : active + step + offered.length) % offered.length;
  render();
}

/** Takes the active suggestion, or the first one. */
export function accept() {
  write(offered[Math.max(active, 0)].text);
}

function suggestCommands(text, slash) {
  const [sign, start] = [text[0], text.slice(1).toLowerCase()];
  const isSlash = sign === "/";
  if (!isSlash && !start) return { title: "", items: [] };
  const begins = ({ words }) => words.startsWith(start);
  const fits = state.commands.filter((command) => begins(command) && (isSlash || command.words !== start));
  if (isSlash) fits.push(...state.commands.filter((command) => !begins(command) && command.words.includes(start)));
  const items = fits.slice(0, MAX_SHOWN).map((command) => {
    const [first] = command.options;
    const next = isSlash && first?.required ? `${first.name}: ` : "";
    return {
      label: sign + command.words, hint: command.options.map(({ name }) => name).join("  "), more: command.description,
      text: `${sign}${command.words}${first ? ` ${next}` : ""}`,
    };
  });
  const isUnknown = isSlash && !slash && state.commands.length;
  const title = items.length ? say("Commands") : isUnknown ? say("No command of that name") : "";
  return { title, items, isFirstActive: isSlash && items.length > 0 };
}

function suggestNames(names) {
  const items = names.map(({ typed, more, text }) => ({ label: typed, hint: more, text }));
  return { title: say("People and channels"), items, isFirstActive: true };
}

function suggestOptions(slash, text) {
  const { command, given } = slash;
  const current = given.find(({ start, end }) => start <= text.length && end === text.length);
  const option = current && command.options.find(({ name }) => name === current.name);
  const about = option && `${option.name}${option.required ? "" : say(" (optional)")}: ${option.description}`;
  const withValue = (value) => `${text.slice(0, current.start)}${current.isLoose ? "" : " "}${value} `;
  const values = option ? valuesOf(slash, current, option).map((name) => ({ label: name, text: withValue(name) })) : [];
  const isBetween = !current || (current.raw !== "" && text.endsWith(" "));
  const rest = isBetween ? command.options.filter(({ name }) => !given.some((one) => one.name === name)) : [];
  const names = rest.map(({ name, required, description }) => ({
    label: `${name}:`, hint: required ? say("needed") : say("optional"), more: description, text: `${text.trimEnd()} ${name}: `,
  }));
  const title = about ?? `/${command.words}: ${command.description}`;
  return { title, items: [...values.slice(0, MAX_SHOWN), ...names] };
}

function valuesOf(slash, current, option) {
  const start = current.raw.toLowerCase();
  if (option.autocomplete) return completions(slash, current).map(({ name }) => name);
  const channels = () => orderedChannels().filter((channel) => !isDirect(channel)).map(({ name }) => `#${name}`);
  const all = option.choices?.map(({ name }) => name) ?? {
    5: () => ["true", "false"], 6: () => [...state.users.values()].map(({ username }) => `@${username}`), 7: channels,
  }[option.type]?.() ?? [];
  return all.filter((name) => name.toLowerCase().includes(start) && name !== current.raw);
}

/** Returns the bot's completions for the text of an option, and requests them if they are missing. */
function completions(slash, current) {
  const key = `${slash.command.words} ${current.name} ${current.raw}`;
  if (asked.key === key) return asked.choices;
  const earlier = asked.choices;
  clearTimeout(askTimer);
  askTimer = setTimeout(() => ask(key, slash, current.name), ASK_AFTER_MS);
  return earlier.filter(({ name }) => name.toLowerCase().includes(current.raw.toLowerCase()));
}

async function ask(key, slash, name) {
  const nonce = makeNonce();
  asked = { key, choices: [], nonce };
  let data;
  try {
    data = slashData(slash, name);
  } catch {
    return; // another option is not readable yet
  }
  const applicationId = slash.command.application ?? bot()?.id;
  const body = interactionBody(4, { nonce, channelId: state.current, applicationId, data });
  await api("POST", "/interactions", body).catch(() => null);
}

/** Stores the bot's completions, unless the text has changed since the request. */
export function receiveCompletions({ nonce, choices }) {
  if (asked.nonce !== nonce) return;
  asked.choices = choices ?? [];
  if (document.activeElement === ui.box) suggest();
}

function render() {
  ui["suggestion-list"].replaceChildren(...offered.map(({ label, hint, more, text }, index) => h("li", {
    role: "option", id: `suggestion-${index}`, class: index === active ? "active" : null,
    "aria-selected": String(index === active),
    onpointerdown: (event) => event.preventDefault(), // the box keeps the focus
    onclick: () => write(text),
  },
  h("span", { class: "suggestion-name" }, label, hint && h("span", { class: "suggestion-hint" }, hint)),
  more && h("span", { class: "muted" }, more))));
  if (active < 0) return ui.box.removeAttribute("aria-activedescendant");
  ui.box.setAttribute("aria-activedescendant", `suggestion-${active}`);
  return ui["suggestion-list"].children[active].scrollIntoView({ block: "nearest" });
}
