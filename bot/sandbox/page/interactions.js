// Interactions that a person sends to the bot: commands, clicks, choices and forms.

import { api, attempt } from "./rest.js";
import { guildOf, state } from "./state.js";
import { makeNonce } from "./times.js";

const TIMEOUT_MS = 6_000;

/** Returns the fields of every interaction: guild, channel, application, session. */
export function interactionBody(type, { nonce, channelId, applicationId, data, message }) {
  return {
    type, nonce, application_id: applicationId, channel_id: channelId, session_id: state.session, data,
    guild_id: guildOf(state.channels.get(channelId)), message_id: message?.id, message_flags: message?.flags,
  };
}

/** Sends an interaction and waits for its response; `mark` receives "waiting", "done" or "failed". */
export async function interact(type, { mark = () => {}, ...about }) {
  const nonce = makeNonce();
  const world = state;
  const settle = (outcome) => {
    if (!world.waiting.has(nonce)) return;
    clearTimeout(world.waiting.get(nonce).timer);
    world.waiting.delete(nonce);
    mark(outcome);
  };
  world.waiting.set(nonce, { settle, timer: setTimeout(() => settle("failed"), TIMEOUT_MS) });
  mark("waiting");
  const worked = await attempt(() => api("POST", "/interactions", interactionBody(type, { nonce, ...about })));
  if (!worked) settle("failed");
  return worked;
}
