// Slash commands as people type them, `/name option: value`, and as Discord sends them.

import { api } from "./rest.js";
import { bot, channelName, state } from "./state.js";
import { say } from "./texts.js";

const MESSAGE_COMMAND = 3;

const escaped = (name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Lists the commands as typed: subcommands become commands of two or three words. */
function spellOut(command) {
  const leaf = (node, path) => ({
    id: command.id,
    application: command.application_id,
    version: command.version,
    root: command.name,
    guild: command.guild_id,
    path,
    words: [command.name, ...path.map((part) => part.name)].join(" "),
    description: node.description,
    options: [...(node.options ?? [])].sort((a, b) => Number(Boolean(b.required)) - Number(Boolean(a.required))),
  });
  const walk = (node, path) => {
    const inner = (node.options ?? []).filter((option) => option.type <= 2);
    return inner.length ? inner.flatMap((child) => walk(child, [...path, child])) : [leaf(node, path)];
  };
  return (command.type ?? 1) === 1 ? walk(command, []) : [];
}

export async function loadCommands() {
  const world = state;
  const application = bot()?.id;
  if (!application) return;
  const places = [`/applications/${application}`, `/applications/${application}/guilds/${state.guild?.id}`];
  const lists = await Promise.all(places.map((place) => api("GET", `${place}/commands`).catch(() => [])));
  if (world !== state) return;
  const byWords = new Map(lists.flat().flatMap(spellOut).map((command) => [command.words, command])); // the guild's win
  state.messageCommands = lists.flat().filter(({ type }) => type === MESSAGE_COMMAND);
  state.commands = [...byWords.values()].sort((a, b) => a.words.localeCompare(b.words));
}


/** Reads `/name option: value option: value` as far as it has been typed; null when it is no known command. */
export function readSlash(text) {
  if (!text.startsWith("/")) return null;
  const typed = text.slice(1);
  const fits = state.commands.filter(({ words }) => typed === words || typed.startsWith(`${words} `));
  const command = fits.sort((a, b) => b.words.length - a.words.length)[0];
  if (!command) return null;
  const offset = 1 + command.words.length;
  const rest = text.slice(offset);
  const names = command.options.map((option) => escaped(option.name)).join("|");
  const marks = names ? [...rest.matchAll(new RegExp(`(?<=\\s)(${names}):`, "g"))] : [];
  const given = marks.map((mark, index) => {
    const start = mark.index + mark[0].length;
    const end = marks[index + 1]?.index ?? rest.length;
    return { name: mark[1], raw: rest.slice(start, end).trim(), start: offset + start, end: offset + end };
  });
  const before = marks[0]?.index ?? rest.length;
  const loose = rest.slice(0, before).trim(); // typed without a name: the first option
  const first = command.options.find((option) => !given.some(({ name }) => name === option.name));
  if (loose && first) {
    given.unshift({ name: first.name, raw: loose, start: offset + 1, end: offset + before, isLoose: true });
  }
  return { command, given, hasSpace: rest.length > 0 };
}

/** Converts a typed command to the data of an interaction; throws an Error that says what is missing or wrong. */
export function slashData({ command, given }, focus = null) {
  const options = given.map(({ name, raw }) => {
    const option = command.options.find((candidate) => candidate.name === name);
    const value = focus === name ? raw : typedValue(option, raw);
    return { type: option.type, name, value, ...(focus === name && { focused: true }) };
  }).filter(({ value, focused }) => focused || value !== "");
  const isGiven = (option) => options.some(({ name }) => name === option.name);
  const missing = command.options.find((option) => option.required && !isGiven(option));
  if (missing && !focus) throw new Error(`/${command.words} needs “${missing.name}”: ${missing.description}`);
  const nest = (inner, part) => [{ type: part.type, name: part.name, options: inner }];
  return {
    id: command.id, name: command.root, type: 1, version: command.version, guild_id: command.guild,
    options: command.path.reduceRight(nest, options), attachments: [],
  };
}

const READERS = { // by the type of the option
  3: (raw) => raw,
  4: (raw) => (/^[-+]?\d+$/.test(raw) ? Number(raw) : null),
  5: (raw) => (/^(true|yes|on)$/i.test(raw) ? true : /^(false|no|off)$/i.test(raw) ? false : null),
  6: (raw) => idOf([...state.users.values()], raw, (user) => user.username),
  7: (raw) => idOf([...state.channels.values()], raw, channelName),
  8: (raw) => idOf([...state.roles.values()], raw, (role) => role.name),
  9: (raw) => READERS[6](raw) ?? READERS[8](raw),
  10: (raw) => (Number.isFinite(Number(raw)) ? Number(raw) : null),
};
const WANTED = {
  4: say("a whole number"), 5: say("true or false"), 6: say("a person, as @name"), 7: say("a channel, as #name"),
  8: say("a role, as @name"), 9: say("a person or role, as @name"), 10: say("a number"),
};

function idOf(things, raw, naming) {
  const name = raw.replace(/^[@#]/, "").toLowerCase();
  const isMeant = (thing) => thing.id === raw.replace(/\D/g, "") || naming(thing).toLowerCase() === name;
  return things.find(isMeant)?.id ?? null;
}

function typedValue(option, raw) {
  const isMeant = ({ name, value }) => name.toLowerCase() === raw.toLowerCase() || String(value) === raw;
  const choice = option.choices?.find(isMeant);
  if (choice) return choice.value;
  if (raw === "") return raw;
  if (option.choices?.length) {
    const choices = option.choices.map(({ name }) => name).join(", ");
    throw new Error(say("“{option}” is one of: {choices}.", { option: option.name, choices }));
  }
  const value = READERS[option.type]?.(raw) ?? null;
  const wanted = WANTED[option.type] ?? say("something else");
  if (value === null) throw new Error(say("“{option}” should be {wanted}.", { option: option.name, wanted }));
  return value;
}
