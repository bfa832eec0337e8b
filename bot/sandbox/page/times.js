// Times: those that ids carry, and how they are shown.

import { h } from "./dom.js";
import { locale, say } from "./texts.js";

const EPOCH_MS = 1420070400000;
/** Ids are 64-bit integers in strings. */
export const isOlder = (a, b) => a.length < b.length || (a.length === b.length && a < b);
export const createdAt = (id) => new Date(Number(BigInt(id) >> 22n) + EPOCH_MS);
export const makeNonce = () =>
  ((BigInt(Date.now() - EPOCH_MS) << 22n) + BigInt(Math.floor(Math.random() * 4e6))).toString();

export const formats = {
  time: new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }),
  date: new Intl.DateTimeFormat(locale, { dateStyle: "short" }),
  longDate: new Intl.DateTimeFormat(locale, { dateStyle: "long" }),
  full: new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" }),
};
export const dayOf = (date) => date.toDateString();

export function sayWhen(date) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  const time = formats.time.format(date);
  if (days === 0) return say("Today at {time}", { time });
  return days === 1 ? say("Yesterday at {time}", { time }) : `${formats.date.format(date)} ${time}`;
}

/** Renders a time that the bot wrote as `<t:seconds:style>`. */
export function stamp(date, style = "f") {
  if (Number.isNaN(date.getTime())) return h("time", { class: "stamp" }, say("an invalid date"));
  const dateStyle = { d: "short", D: "long", f: "long", F: "full" }[style];
  const timeStyle = { t: "short", T: "medium", f: "short", F: "short" }[style];
  const precise = () => new Intl.DateTimeFormat(locale, { dateStyle, timeStyle }).format(date);
  const text = style === "R" ? relative(date) : precise();
  return h("time", { class: "stamp", title: formats.full.format(date) }, text);
}

const UNITS = [
  ["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1],
];

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}
