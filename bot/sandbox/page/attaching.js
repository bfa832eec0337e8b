// The one file that is sent with the next message.

import { h, icon, iconButton, ui } from "./dom.js";
import { say } from "./texts.js";

let file = null;

function draw() {
  ui.attached.hidden = !file;
  ui.attached.replaceChildren(...(file ? [
    h("span", {}, icon("file"), h("strong", {}, file.name)),
    iconButton("close", say("Do not attach {name}", { name: file.name }), { onclick: () => keepFile(null) }),
  ] : []));
  ui.composer.dispatchEvent(new Event("attached"));
}

/** Attaches a file to the next message; null for none. */
export function keepFile(next) {
  file = next;
  ui.file.value = "";
  draw();
  ui.box.focus();
}

export const hasFile = () => file !== null;

/** Returns the body of a request with the attached file, which is no longer attached then. */
export function withFile(body) {
  if (!file) return body;
  const form = new FormData();
  form.append("payload_json", JSON.stringify(body));
  form.append("files[0]", file, file.name);
  keepFile(null);
  return form;
}

ui.attach.append(icon("plus"));
ui.attach.title = say("Attach a file");
ui.attach.addEventListener("click", () => ui.file.click());
ui.file.addEventListener("change", () => keepFile(ui.file.files[0] ?? null));
