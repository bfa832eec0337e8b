// A listbox with a check mark per option. One choice is sent at once, several when the menu closes.

import { h } from "./dom.js";
import { closeLayer, openLayer, popupOf } from "./layer.js";
import { say } from "./texts.js";

let menuCount = 0;

/** Opens a menu of `options`; `onchoose` gets the values in the options' order, unless nothing was changed. */
export function openMenu(anchor, { title, options, chosen, least, most, onchoose }) {
  const picked = new Set(chosen);
  const isMultiple = most > 1 || least === 0;
  const id = `menu${(menuCount += 1)}`;
  let active = Math.max(0, options.findIndex((option) => picked.has(option.value)));
  const items = options.map((option, index) => renderOption(option, {
    id: `${id}-${index}`, isMultiple, onclick: () => toggle(index), onpointermove: () => move(index),
  }));
  const list = h("ul", {
    role: "listbox", tabindex: "0", "aria-multiselectable": isMultiple && "true", "aria-label": title,
  }, items);
  const tally = h("span", { class: "muted", "aria-live": "polite" });
  const done = h("button", { class: "button s1", type: "button", onclick: () => closeLayer() }, say("Done"));
  const popup = popupOf("menu-popup", {}, list, isMultiple && h("div", { class: "menu-foot" }, tally, done));
  const mayBeSent = () => picked.size >= least && picked.size <= most;
  const isChanged = () => picked.size !== chosen.length || chosen.some((value) => !picked.has(value));

  function draw() {
    items.forEach((item, index) => {
      item.setAttribute("aria-selected", String(picked.has(options[index].value)));
      item.classList.toggle("active", index === active);
      item.classList.toggle("full", picked.size >= most && most > 1 && !picked.has(options[index].value));
    });
    list.setAttribute("aria-activedescendant", `${id}-${active}`);
    tally.textContent = mayBeSent()
      ? say("{n} of at most {most}", { n: picked.size, most }) : say("Choose at least {least}", { least });
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
    const isLetter = key.length === 1 && key !== " " && !event.ctrlKey && !event.metaKey;
    const byLetter = isLetter ? nextWithLetter(options, active, key) : -1;
    if (key in steps) move(steps[key]);
    else if (key === " ") toggle(active);
    else if (key === "Enter") isMultiple ? mayBeSent() && closeLayer() : toggle(active);
    else if (byLetter >= 0) move(byLetter);
    else return;
    event.preventDefault();
    items[active]?.scrollIntoView({ block: "nearest" });
  });

  draw();
  popup.style.minWidth = `${anchor.getBoundingClientRect().width}px`;
  openLayer(anchor, popup, (isCancelled) => {
    if (isCancelled || !isChanged() || !mayBeSent()) return;
    onchoose(options.map((option) => option.value).filter((value) => picked.has(value)));
  });
  list.focus({ preventScroll: true });
}

function renderOption(option, { isMultiple, ...props }) {
  return h("li", { role: "option", ...props },
    h("span", { class: `check${isMultiple ? "" : " round"}`, "aria-hidden": "true" }),
    option.emoji?.name && h("span", { class: "emoji" }, option.emoji.name),
    h("span", { class: "option-text" },
      h("span", {}, option.label), option.description && h("span", { class: "muted" }, option.description)));
}

function nextWithLetter(options, active, letter) {
  const steps = options.map((_, index) => (active + 1 + index) % options.length);
  return steps.find((index) => options[index].label.toLowerCase().startsWith(letter.toLowerCase())) ?? -1;
}
