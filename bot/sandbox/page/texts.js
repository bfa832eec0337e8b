// What the page says, in the language of the bot. The English text is the key of the others.

const { language, texts } = await (await fetch("/page/texts.json")).json();

/** For times; undefined stands for the language of the browser. */
export const locale = language === "en" ? undefined : language;

/** Says a text of the page, with its {values} filled in. */
export const say = (english, values = {}) =>
  (texts[english] ?? english).replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** An example sentence, in the language that the model reads. */
export const example = (english) => texts[english] ?? english;

/** Says everything that index.html holds. */
export function translatePage() {
  document.documentElement.lang = language;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { currentNode } = walker;
    if (currentNode.nodeValue.trim()) currentNode.nodeValue = say(currentNode.nodeValue.trim());
  }
  for (const element of document.querySelectorAll("[aria-label]")) {
    element.setAttribute("aria-label", say(element.getAttribute("aria-label")));
  }
}
