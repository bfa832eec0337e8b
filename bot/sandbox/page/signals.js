// Events between modules of the page, so that neither imports the other:
// "log": draw the messages again · "open": a channel, by id · "show": a message, by id · "write": text into the box
// "reply": to a message · "box": put the focus into the box.

const listeners = new Map();

export const on = (name, listener) => listeners.set(name, listener);
export const tell = (name, value) => listeners.get(name)?.(value);
