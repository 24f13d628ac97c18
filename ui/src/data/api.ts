// An API, asked with the session cookie of the page.

/** Why something could not be had: the API's own refusal, or the network's. */
export class Refused extends Error {
  constructor(
    readonly status: number, // 0: no answer
    readonly code: string,
    message: string,
    readonly remedy = "",
    readonly fields: readonly FieldError[] = [],
  ) {
    super(message);
  }
}

/** What is wrong with one field of a request: "body.windows.0.minutes". */
export type FieldError = { where: string; what: string };

/** Airflow's own address, with the path it is mounted under; ends with a slash. */
export const airflowUrl = () => new URL("./", document.baseURI).href;

export const signInUrl = () => {
  const address = new URL("api/v2/auth/login", airflowUrl());
  address.searchParams.set("next", globalThis.location.href);
  return address.href;
};

export type Ask = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/** Ask `server` at `address`. Throws Refused, and AbortError when `signal` says so. */
export async function request<Answer>(address: URL, server: string, ask: Ask = {}): Promise<Answer> {
  for (const [name, value] of Object.entries(ask.query ?? {})) {
    if (value !== undefined && value !== "") {
      address.searchParams.set(name, String(value));
    }
  }
  let answer: Response;
  try {
    answer = await fetch(address, {
      method: ask.method ?? "GET",
      credentials: "same-origin",
      headers: { ...(ask.body === undefined ? {} : { "Content-Type": "application/json" }), ...ask.headers },
      ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
      ...(ask.signal ? { signal: ask.signal } : {}),
    });
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") {
      throw problem;
    }
    throw new Refused(0, "unavailable", `${server} does not answer.`, "Check that it runs and that your network is up.");
  }
  if (answer.status === 204) {
    return undefined as Answer;
  }
  const body: unknown = await answer.json().catch(() => undefined);
  if (answer.ok && body !== undefined) {
    return body as Answer;
  }
  const said = (body ?? {}) as { error?: string; message?: string; remedy?: string; detail?: { errors?: FieldError[] } };
  throw new Refused(
    answer.status,
    said.error ?? "internal",
    said.message ?? `${server} answered ${answer.status}.`,
    said.remedy ?? (said.message === undefined ? "Try again. If it fails again, look at the log of the server." : ""),
    said.detail?.errors ?? [],
  );
}

/** A sentence for whatever was thrown. */
export const asRefused = (problem: unknown): Refused =>
  problem instanceof Refused ? problem : new Refused(0, "internal", String(problem), "Reload the page and try again.");
