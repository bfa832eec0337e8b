// The commands that can be used on a message, as under Apps in Discord's menu of a message.

import { h } from "./dom.js";
import { insertMessage } from "./history.js";
import { interact } from "./interactions.js";
import { closeLayer, openLayer, popupOf } from "./layer.js";
import { tell } from "./signals.js";
import { bot, FLAG, nameOf, state } from "./state.js";
import { say } from "./texts.js";
import { makeNonce } from "./times.js";

export function openApps(anchor, message) {
  const items = state.messageCommands.map((command) => {
    const use = () => {
      closeLayer();
      useOn(message, command);
    };
    return h("button", { class: "plain", type: "button", onclick: use }, command.name);
  });
  openLayer(anchor, popupOf("apps", { role: "group", "aria-label": say("Apps") }, items));
  items[0].focus();
}

function useOn(message, { id, name, version, guild_id, application_id }) {
  const data = { id, name, type: 3, version, guild_id, target_id: message.id, options: [], attachments: [] };
  const mark = (outcome) => {
    if (outcome !== "failed") return;
    const author = bot() ?? state.me;
    const content = say("{bot} did not answer “{command}”. Is it running?", { bot: nameOf(author), command: name });
    insertMessage({
      id: makeNonce(), channel_id: message.channel_id, author, flags: FLAG.EPHEMERAL, content, isLocal: true,
    });
    tell("log");
  };
  return interact(2, { channelId: message.channel_id, applicationId: application_id ?? bot()?.id, data, mark });
}
