// What one can type: chips where a conversation begins, and behind the button at the box at any time.

import { h, icon, ui } from "./dom.js";
import { closeLayer, openLayer, popupOf } from "./layer.js";
import { tell } from "./signals.js";
import { say } from "./texts.js";

const EXAMPLES = [
  "!fill Nike shoes are very [MASK]", "!fill The delivery was [MASK] and the support was [MASK]", "!help",
];

/** Returns a chip for each example, which puts it into the box. */
export function exampleChips() {
  const write = (text) => {
    closeLayer();
    tell("write", text);
  };
  const chips = EXAMPLES.map((text) =>
    h("button", { class: "chip", type: "button", onclick: () => write(text) }, text));
  return h("div", { class: "chips" }, chips);
}

ui.examples.append(icon("bulb"));
ui.examples.title = say("Examples");
ui.examples.addEventListener("click", () => {
  const chips = exampleChips();
  openLayer(ui.examples, popupOf("examples", { role: "group", "aria-label": say("Examples") }, chips));
  chips.querySelector("button").focus();
});
