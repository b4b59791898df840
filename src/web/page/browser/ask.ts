/** What the node answered: the JSON, or why there is none, in words. */
export type Answer<T> =
  | { readonly value: T }
  | { readonly problem: string; readonly retryMs: number | undefined };

/** Asks this node for JSON. Never rejects, but when the signal aborts. */
export async function ask<T>(
  path: string,
  init: RequestInit & { readonly signal: AbortSignal },
): Promise<Answer<T>> {
  try {
    const response = await fetch(path, init);
    if (response.ok) return { value: (await response.json()) as T };
    const retry = Number(response.headers.get('retry-after') ?? Number.NaN);
    const body = (await response.json().catch(() => ({}))) as { readonly error?: unknown };
    const text = typeof body.error === 'string' ? body.error : `the node answered with ${response.status}`;
    return { problem: text, retryMs: Number.isFinite(retry) ? retry * 1000 : undefined };
  } catch (error) {
    if (init.signal.aborted) throw error;
    return { problem: 'the node does not answer', retryMs: undefined };
  }
}
