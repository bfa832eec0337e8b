// Renders embeds.

import { h } from "./dom.js";
import { inline, link, markdown } from "./markdown.js";
import { embedPicture } from "./pictures.js";
import { say } from "./texts.js";
import { sayWhen } from "./times.js";

export function renderEmbed(embed, message) {
  const linked = (url, content) => (url ? link(url, content) : content);
  const when = embed.timestamp && sayWhen(new Date(embed.timestamp));
  const footer = [embed.footer?.text, when].filter(Boolean).join(" • ");
  const thumbnail = embedPicture(embed.thumbnail, message, "thumbnail");
  const box = h("div", {
    class: `embed${thumbnail ? " with-thumbnail" : ""}`, role: "group",
    "aria-label": embed.title ? say("Embed: {title}", { title: embed.title.replace(/[*_`~|]/g, "") }) : say("Embed"),
  },
  embed.author?.name && h("div", { class: "embed-author" }, linked(embed.author.url, embed.author.name)),
  embed.title && h("div", { class: "embed-title" }, linked(embed.url, inline(embed.title))),
  embed.description && h("div", { class: "text" }, markdown(embed.description)),
  embed.fields?.length > 0 && h("div", { class: "fields" }, renderFields(embed.fields)),
  embedPicture(embed.image, message, "wide"),
  thumbnail,
  footer && h("div", { class: "embed-footer" }, footer));
  paintEdge(box, embed.color);
  return box;
}

/** Applies an embed's colour to its box. */
export function paintEdge(box, colour) {
  if (typeof colour === "number") box.style.borderInlineStartColor = `#${colour.toString(16).padStart(6, "0")}`;
}

/** Three inline fields share a row, as in Discord; what remains of a run shares the next one. */
function renderFields(fields) {
  const rows = [];
  for (const field of fields) {
    const row = rows.at(-1);
    if (field.inline && row?.[0].inline && row.length < 3) row.push(field);
    else rows.push([field]);
  }
  return rows.flatMap((row) => row.map((field) => renderField(field, row.length)));
}

function renderField(field, inRow) {
  const kind = field.inline ? ` inline of-${inRow}` : "";
  return h("div", { class: `field${kind}` },
    h("div", { class: "field-name" }, inline(field.name)), h("div", { class: "text" }, markdown(field.value)));
}
