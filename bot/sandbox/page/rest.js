// Calls Discord's REST API as the selected person.

import { toast } from "./dom.js";
import { state } from "./state.js";
import { say } from "./texts.js";

const API = "/api/v10";

class ApiError extends Error {
  constructor(status, body) {
    const unsaid = status
      ? say("The server answered {status}.", { status }) : say("The sandbox cannot be reached. Is it still running?");
    super(body?.message || unsaid);
    this.status = status;
  }
}

/** Calls the API; waits out rate limits, throws ApiError on other errors. */
export async function api(method, path, body) {
  const headers = { Authorization: state.token };
  const isForm = body instanceof FormData; // with files; the browser sets its type
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  for (let attempt = 0; ; attempt += 1) {
    let response;
    try {
      response = await fetch(API + path, { method, headers, body: isForm ? body : body && JSON.stringify(body) });
    } catch {
      throw new ApiError(0);
    }
    const answer = await response.json().catch(() => null);
    if (response.status === 429 && attempt < 4) {
      await new Promise((resolve) => setTimeout(resolve, (answer?.retry_after ?? 1) * 1000 + 20));
      continue;
    }
    if (!response.ok) throw new ApiError(response.status, answer);
    return answer;
  }
}


/** Runs an action of a person; errors are shown in a toast. Returns whether it succeeded. */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(error.message);
    return false;
  }
}
