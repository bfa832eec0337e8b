// The avatar next to a user's messages.

import { h } from "./dom.js";
import { isAdmin, nameOf } from "./state.js";
import { say } from "./texts.js";

const TINTS = { ada: 0, ben: 1, cleo: 2 };

export function avatar(user, size = "") {
  let hash = 0;
  for (const letter of user.username ?? "?") hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  const tint = user.bot ? "bot" : `tint${TINTS[user.username] ?? hash % 6}`;
  const initial = [...nameOf(user)][0]?.toUpperCase() ?? "?";
  return h("span", { class: `avatar ${tint} ${size}`, "aria-hidden": "true" }, initial);
}

export function badges(user) {
  return [
    user.bot && h("span", { class: "badge" }, "BOT"),
    isAdmin(user) && h("span", { class: "badge admin" }, say("ADMIN")),
  ];
}
