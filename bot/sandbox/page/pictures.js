// Pictures and files of messages; a click enlarges a picture, from which the others of its message can be reached.

import { h, icon, iconButton, placeOfFocus, ui } from "./dom.js";
import { say } from "./texts.js";

/** Rewrites a file's address to this page's origin, because the sandbox serves all files itself. */
function ownUrl(url) {
  try {
    const parsed = new URL(url, location.href);
    if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed.hostname)) return parsed.pathname + parsed.search;
    return parsed.protocol.startsWith("http") ? parsed.href : null;
  } catch {
    return null;
  }
}

function sayBytes(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

export function picture(url, { name, alt, width, height, kind = "" }) {
  const source = ownUrl(url);
  if (!source) return null;
  const words = alt || name || "picture";
  return h("button", {
    class: `picture ${kind}`, type: "button", "aria-label": `Enlarge ${words}`,
    data: { key: `picture ${source}`, source, words }, onclick: ({ currentTarget }) => enlarge(currentTarget),
  }, h("img", { src: source, alt: words, width, height, loading: "lazy" }));
}

/** Builds the picture of an embed, which may be one of the message's own files. */
export function embedPicture(media, message, kind) {
  if (!media?.url) return null;
  const name = media.url.startsWith("attachment://") ? media.url.slice(13) : null;
  const file = message.attachments?.find((one) => one.filename === name || one.url === media.url);
  const url = name ? file?.url : media.url;
  const alt = media.description ?? file?.description;
  const [width, height] = [media.width ?? file?.width, media.height ?? file?.height];
  return url && picture(url, { name: file?.filename ?? nameIn(url), alt, width, height, kind });
}

const nameIn = (url) => decodeURIComponent(url.split(/[?#]/)[0].split("/").pop()) || "picture";
const isPicture = (file) => file.content_type?.startsWith("image/") || /\.(png|jpe?g|gif|webp)$/i.test(file.filename);

/** Builds the files that no embed shows: pictures side by side, other files below. */
export function renderAttachments(message) {
  const inEmbeds = JSON.stringify(message.embeds ?? []);
  const isShown = (file) => inEmbeds.includes(`attachment://${file.filename}"`) || inEmbeds.includes(`"${file.url}"`);
  const files = (message.attachments ?? []).filter((file) => !isShown(file));
  if (!files.length) return null;
  const pictures = files.filter(isPicture).map((file) =>
    picture(file.url, { name: file.filename, alt: file.description, width: file.width, height: file.height }));
  const others = files.filter((file) => !isPicture(file)).map(renderFile);
  return h("div", { class: "attachments" },
    pictures.length > 0 && h("div", { class: `album${pictures.length > 1 ? " many" : ""}` }, pictures), others);
}

function renderFile(file) {
  return h("a", { class: "file", href: ownUrl(file.url), download: file.filename, data: { key: `file ${file.id}` } },
    icon("file"),
    h("span", {},
      h("span", { class: "file-name" }, file.filename), h("span", { class: "muted" }, sayBytes(file.size ?? 0))),
    icon("download"));
}

let turn = () => {}; // to the next picture or the one before

function enlarge(button) {
  const all = [...(button.closest("[data-id]") ?? document).querySelectorAll("button.picture")];
  const place = placeOfFocus();
  let at = all.indexOf(button);
  const show = () => {
    const { source, words } = all[at].dataset;
    ui.lightbox.replaceChildren(
      h("img", { src: source, alt: words }),
      h("p", { class: "lightbox-words" }, words, all.length > 1 && ` · ${say("{n} of {all}", { n: at + 1, all: all.length })}`),
      h("p", {},
        h("a", { href: source, target: "_blank", rel: "noopener" }, say("Open in a new tab")),
        all.length > 1 && iconButton("left", say("Previous picture"), { onclick: () => turn(-1), data: { step: "-1" } }),
        all.length > 1 && iconButton("right", say("Next picture"), { onclick: () => turn(1), data: { step: "1" } }),
        h("button", { class: "plain", type: "button", onclick: () => ui.lightbox.close() }, say("Close"))));
  };
  turn = (step) => {
    if (all.length < 2) return;
    at = (at + step + all.length) % all.length;
    show();
    ui.lightbox.querySelector(`[data-step="${step}"]`).focus();
  };
  show();
  ui.lightbox.onclose = place.restore;
  ui.lightbox.showModal();
}

ui.lightbox.addEventListener("click", ({ target }) => target === ui.lightbox && ui.lightbox.close());
ui.lightbox.addEventListener("keydown", ({ key }) => {
  if (key === "ArrowLeft" || key === "ArrowRight") turn(key === "ArrowLeft" ? -1 : 1);
});
