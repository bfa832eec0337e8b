// What one can type: chips where a conversation begins, and behind the button at the box at any time.

import { h, icon, ui } from "./dom.js";
import { closeLayer, openLayer, popupOf } from "./layer.js";
import { tell } from "./signals.js";
import { channelKey, isThread, state } from "./state.js";
import { example, say } from "./texts.js";

const SENTENCES = [
  example("Nike shoes are very [MASK]"), example("The delivery was [MASK] and the support was [MASK]"),
];
const HEARD = ["support", "@me"]; // where a sentence needs no command

/** What one can type in the channel that is shown. */
function examples() {
  const channel = state.channels.get(state.current);
  const place = channel && isThread(channel) ? state.channels.get(channel.parent_id) : channel;
  const isHeard = place && HEARD.includes(channelKey(place));
  return [...SENTENCES.map((text) => (isHeard ? text : `!fill ${text}`)), "!help"];
}

/** Returns a chip for each example, which puts it into the box. */
export function exampleChips() {
  const write = (text) => {
    closeLayer();
    tell("write", text);
  };
  const chips = examples().map((text) =>
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
