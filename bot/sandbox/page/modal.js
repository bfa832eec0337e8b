// Modals of the bot, with text inputs and menus, in rows or with labels.

import { h, iconButton, placeOfFocus, ui } from "./dom.js";
import { interact } from "./interactions.js";
import { markdown } from "./markdown.js";
import { bot, state } from "./state.js";
import { say } from "./texts.js";

const [ROW, MENU, TEXT_INPUT, TEXT, LABEL] = [1, 3, 4, 10, 18];
const MAX_CHARS = 4000;

export function openModal(modal) {
  const parts = (modal.components ?? []).map((part, index) => readPart(part, `input-${index}`)).filter(Boolean);
  const inputs = parts.flatMap((part) => part.input ?? []);
  const problem = h("p", { class: "failed", role: "alert" });
  const submit = h("button", { class: "button s1", type: "submit" }, say("Submit"));
  const mark = (outcome) => {
    if (outcome === "done") ui.modal.close();
    submit.disabled = outcome === "waiting";
    problem.textContent = outcome === "failed" ? say("Something went wrong. Try again.") : "";
  };
  const send = (event) => {
    event.preventDefault();
    const wrong = inputs.filter((input) => !input.check());
    if (wrong.length) return wrong[0].control.focus();
    const components = parts.flatMap((part) => part.answer?.() ?? []);
    const data = { id: modal.id, custom_id: modal.custom_id, components };
    const applicationId = modal.application?.id ?? modal.application_id ?? bot()?.id;
    return interact(5, { channelId: modal.channel_id ?? state.current, applicationId, data, mark });
  };
  const place = placeOfFocus();
  ui.modal.onclose = place.restore;
  const cancel = () => ui.modal.close();
  ui.modal.replaceChildren(h("form", { onsubmit: send, novalidate: true },
    h("header", {}, h("h2", { id: "modal-title" }, modal.title),
      iconButton("close", say("Close"), { onclick: cancel })),
    parts.map((part) => part.shown),
    problem,
    h("footer", {}, h("button", { class: "plain", type: "button", onclick: cancel }, say("Cancel")), submit)));
  if (!ui.modal.open) ui.modal.showModal();
  inputs[0]?.control.focus();
}

/** Builds a component of the modal, and the function that returns its answer. */
function readPart(part, id) {
  if (part.type === TEXT) return { shown: h("div", { class: "text" }, markdown(part.content)) };
  const component = part.component ?? part.components?.[0];
  if (![MENU, TEXT_INPUT].includes(component?.type)) return null;
  const input = component.type === MENU ? menuInput(component, id) : textInput(component, id);
  const { control } = input;
  const error = h("p", { class: "failed", id: `${id}-error` });
  const more = part.description && h("p", { class: "muted", id: `${id}-more` }, part.description);
  control.setAttribute("aria-describedby", [more && more.id, error.id].filter(Boolean).join(" "));
  input.check = () => {
    error.textContent = input.complaint();
    control.setAttribute("aria-invalid", String(error.textContent !== ""));
    return error.textContent === "";
  };
  control.addEventListener("input", () => {
    input.tally?.();
    if (error.textContent) input.check();
  });
  const isOptional = component.required === false && h("span", { class: "muted" }, say(" (optional)"));
  const label = h("label", { for: id }, part.label || component.label || say("Your answer"), isOptional);
  const answer = () => {
    const one = { type: component.type, custom_id: component.custom_id, ...input.value() };
    return part.type === LABEL ? { type: LABEL, component: one } : { type: ROW, components: [one] };
  };
  return { shown: h("div", { class: "modal-field" }, label, more, control, input.counter, error), input, answer };
}

function textInput(component, id) {
  const isLong = component.style === 2;
  const { min_length: least = 0, max_length: most = MAX_CHARS, placeholder, required = true } = component;
  const control = h(isLong ? "textarea" : "input", {
    id, name: component.custom_id, placeholder, maxlength: most, rows: isLong ? 4 : null, autocomplete: "off",
    "aria-required": String(required),
  });
  control.value = component.value ?? "";
  const counter = component.max_length && h("span", { class: "muted count", "aria-hidden": "true" });
  const tally = () => {
    if (counter) counter.textContent = `${control.value.length}/${most}`;
  };
  tally();
  const complaint = () => {
    const { length } = control.value.trim();
    if (!length) return required ? say("Please fill this in.") : "";
    if (length >= least) return "";
    return say("Please write at least {least} characters; this has {length}.", { least, length });
  };
  return { control, counter, tally, complaint, value: () => ({ value: control.value }) };
}

function menuInput(component, id) {
  const { min_values: least = 1, max_values: most = 1, required = true } = component;
  const options = component.options.map((option) =>
    h("option", { value: option.value, selected: option.default }, option.label));
  const unchosen = most === 1 && h("option", { value: "" }, component.placeholder || say("Make a selection"));
  const control = h("select", { id, multiple: most > 1, "aria-required": String(required) }, unchosen, options);
  const values = () => [...control.selectedOptions].map((option) => option.value).filter(Boolean);
  const complaint = () => {
    const { length } = values();
    if (!length && !required) return "";
    if (length < least) return say("Please choose at least {least}.", { least });
    return length > most ? say("Please choose at most {most}.", { most }) : "";
  };
  return { control, complaint, value: () => ({ values: values() }) };
}
