/** Requests to our own server, and to no other. */
import type { Problem } from './types';

/** The server answered, and said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** The server did not answer, or answered that it cannot at the moment. */
export class Unreachable extends Error {}

type Listener = (reachable: boolean) => void;
const listeners = new Set<Listener>();

/** Hear whether the server answers. Returns the way to stop hearing. */
export function onReachable(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const refusals = new Set<(status: number, path: string) => void>();

/** Hear of refusals: a session can end while the page is open. */
export function onRefused(listener: (status: number, path: string) => void): void {
  refusals.add(listener);
}

export function report(reachable: boolean): void {
  for (const listener of listeners) listener(reachable);
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...init });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    report(false);
    throw new Unreachable('The server does not answer.', { cause });
  }
  if (response.status >= 502 && response.status <= 504) {
    report(false);
    throw new Unreachable('The server is not ready.');
  }
  report(true);
  if (response.ok) return response;
  let detail = response.statusText;
  try {
    const problem = (await response.json()) as Problem;
    detail = problem.detail ?? problem.title ?? detail;
  } catch {
    // a body that is no problem document says no more than its status
  }
  for (const listener of refusals) listener(response.status, path);
  throw new Refused(response.status, detail);
}

const ahead = new Map<string, Promise<Response>>();
const ACCEPT = { accept: 'application/geo+json, application/json' };

/** Begin to read what will be asked for in a moment: on a slow link each round trip that need not wait is a gain. */
export function readAhead(path: string): void {
  const asked = ask(path, { headers: ACCEPT });
  // whoever reads it hears of a failure
  asked.catch(() => undefined);
  ahead.set(path, asked);
}

export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const early = ahead.get(path);
  ahead.delete(path);
  if (early) return (await (await early).json()) as T;
  const response = await ask(path, { headers: ACCEPT, signal: signal ?? null });
  return (await response.json()) as T;
}

/** Requests that change something carry a header that a foreign page cannot set. */
export async function send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T | null> {
  const response = await ask(path, {
    method,
    headers: { 'x-parallax': '1', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return text ? (JSON.parse(text) as T) : null;
}
