// Ids, which hold times, and times in the reader's language.

import { h } from "./dom.js";

const EPOCH_MS = 1420070400000;
/** Ids are 64-bit integers in strings. */
export const isOlder = (a, b) => a.length < b.length || (a.length === b.length && a < b);
export const createdAt = (id) => new Date(Number(BigInt(id) >> 22n) + EPOCH_MS);
export const makeNonce = () =>
  ((BigInt(Date.now() - EPOCH_MS) << 22n) + BigInt(Math.floor(Math.random() * 4e6))).toString();

export const formats = {
  time: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
  date: new Intl.DateTimeFormat(undefined, { dateStyle: "short" }),
  longDate: new Intl.DateTimeFormat(undefined, { dateStyle: "long" }),
  full: new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }),
};
export const dayOf = (date) => date.toDateString();

export function sayWhen(date) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  const time = formats.time.format(date);
  return days === 0 ? `Today at ${time}` : days === 1 ? `Yesterday at ${time}` : `${formats.date.format(date)} ${time}`;
}

/** A time that the bot wrote as `<t:seconds:style>`. */
export function stamp(date, style = "f") {
  if (Number.isNaN(date.getTime())) return h("time", { class: "stamp" }, "an invalid date");
  const dateStyle = { d: "short", D: "long", f: "long", F: "full" }[style];
  const timeStyle = { t: "short", T: "medium", f: "short", F: "short" }[style];
  const precise = () => new Intl.DateTimeFormat(undefined, { dateStyle, timeStyle }).format(date);
  const text = style === "R" ? relative(date) : precise();
  return h("time", { class: "stamp", title: formats.full.format(date) }, text);
}

const UNITS = [
  ["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1],
];

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}
