// Buttons, menus and layout under a message.

import { h, icon } from "./dom.js";
import { paintEdge } from "./embeds.js";
import { findMessage, touch } from "./history.js";
import { interact } from "./interactions.js";
import { closeLayer, openedFrom } from "./layer.js";
import { markdown } from "./markdown.js";
import { openMenu } from "./menu.js";
import { embedPicture } from "./pictures.js";
import { tell } from "./signals.js";
import { isDirect, nameOf, state } from "./state.js";
import { say } from "./texts.js";

const LINK = 5;
const SELECTS = [3, 5, 6, 7, 8];

function pressComponent(message, component, { values, onfail } = {}) {
  const mark = (outcome) => {
    const shown = findMessage(message.channel_id, message.id);
    if (!shown) return;
    shown.waitingFor = outcome === "waiting" ? component.custom_id : null;
    shown.hasFailed = outcome === "failed";
    if (outcome === "failed") onfail?.();
    touch(shown);
    tell("log");
  };
  const data = { component_type: component.type, custom_id: component.custom_id };
  if (values) Object.assign(data, { type: component.type, values });
  const applicationId = message.application_id ?? message.author.id;
  return interact(3, { channelId: message.channel_id, applicationId, data, message, mark });
}

export function renderComponents(message) {
  const rows = (message.components ?? []).map((component) => renderComponent(component, message));
  if (message.hasFailed) rows.push(h("p", { class: "failed", role: "alert" }, say("This interaction failed")));
  return rows;
}

function renderComponent(component, message) {
  const inner = () => (component.components ?? []).map((child) => renderComponent(child, message));
  if (SELECTS.includes(component.type)) return renderSelect(component, message);
  switch (component.type) {
    case 1: return h("div", { class: "row" }, inner());
    case 2: return renderButton(component, message);
    case 9: {
      const accessory = component.accessory && renderComponent(component.accessory, message);
      return h("div", { class: "section" }, h("div", {}, inner()), accessory);
    }
    case 10: return h("div", { class: "text" }, markdown(component.content));
    case 11: return embedPicture({ ...component.media, description: component.description }, message, "thumbnail");
    case 12: return h("div", { class: "attachments" }, component.items.map((item) =>
      embedPicture({ ...item.media, description: item.description }, message, "")));
    case 14: return h("hr");
    case 17: {
      const box = h("div", { class: "embed" }, inner());
      paintEdge(box, component.accent_color);
      return box;
    }
    default: return null;
  }
}

function renderButton(component, message) {
  const { emoji, label, disabled, style = 2, url } = component;
  const content = [emoji?.name && h("span", { class: "emoji" }, emoji.name), label && h("span", {}, label)];
  if (style === LINK && !disabled) {
    const more = [" ↗", h("span", { class: "hidden" }, " (opens in a new tab)")];
    return h("a", { class: "button s2", href: url, target: "_blank", rel: "noopener noreferrer" }, content, more);
  }
  const isWaiting = message.waitingFor === component.custom_id;
  return h("button", {
    class: `button s${style === LINK ? 2 : style}`, type: "button", disabled, "aria-busy": isWaiting && "true",
    "aria-label": label ? null : emoji?.name, data: { key: component.custom_id },
    onclick: () => !isWaiting && pressComponent(message, component),
  }, content);
}

/** Returns the options of a menu: its own, or the people, roles and channels of the guild. */
function menuOptions(component) {
  if (component.type === 3) return component.options ?? [];
  const users = [...state.users.values()].map((user) => ({ value: user.id, label: nameOf(user) }));
  const roles = [...state.roles.values()].map((role) => ({ value: role.id, label: `@${role.name}` }));
  const channels = [...state.channels.values()].filter((channel) => !isDirect(channel))
    .map((channel) => ({ value: channel.id, label: `#${channel.name}` }));
  return { 5: users, 6: roles, 7: [...users, ...roles], 8: channels }[component.type];
}

function renderSelect(component, message) {
  const key = `${message.id}:${component.custom_id}`;
  const options = menuOptions(component);
  const byDefault = options.filter((option) => option.default).map((option) => option.value);
  const chosen = state.choices.get(key) ?? byDefault;
  const picked = options.filter((option) => chosen.includes(option.value));
  const placeholder = component.placeholder || say("Make a selection");
  const isWaiting = message.waitingFor === component.custom_id;
  const choose = (values) => {
    state.choices.set(key, values);
    pressComponent(message, component, { values, onfail: () => state.choices.set(key, chosen) });
  };
  const toggle = ({ currentTarget }) => {
    if (openedFrom() === currentTarget) return closeLayer();
    const bounds = { least: component.min_values ?? 1, most: component.max_values ?? 1 };
    return openMenu(currentTarget, { title: placeholder, options, chosen, ...bounds, onchoose: choose });
  };
  const chips = picked.map(({ emoji, label }) =>
    h("span", { class: "chip" }, emoji?.name && h("span", { class: "emoji" }, emoji.name), label));
  return h("button", {
    class: `select${picked.length ? " chosen" : ""}`, type: "button", disabled: component.disabled,
    "aria-haspopup": "listbox", "aria-expanded": "false", "aria-busy": isWaiting && "true",
    data: { key: component.custom_id },
    "aria-label": picked.length ? `${placeholder}: ${picked.map(({ label }) => label).join(", ")}` : placeholder,
    onclick: (event) => !isWaiting && toggle(event),
  },
  h("span", { class: "select-value" }, picked.length ? chips : placeholder),
  picked.length > 0 && component.placeholder && h("span", { class: "select-label" }, placeholder),
  icon("chevron"));
}
