/** Commands of one process of a bench to another one. Both are of the same commit and trust each other. */
export type Handlers<C> = { readonly [K in keyof C]: (options: never) => Promise<unknown> };

/** Asks a process. */
export type Control<C extends Handlers<C>> = {
  readonly [K in keyof C]: C[K];
};

/** No command takes longer, in ms. */
const COMMAND_TIMEOUT_MS = 300_000;

/** Serves the commands on a unix socket, for as long as the process lives. */
export function serveControl<C extends Handlers<C>>(socketPath: string, commands: C): void {
  Bun.serve({
    unix: socketPath,
    maxRequestBodySize: 64 * 1024 * 1024,
    async fetch(request, server) {
      // Commands take as long as they do.
      server.timeout(request, 0);
      const command = commands[new URL(request.url).pathname.slice(1) as keyof C];
      try {
        const result = await command((await request.json()) as never);
        return Response.json(result ?? null);
      } catch (error) {
        return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
      }
    },
  });
}

/** The commands of the process that serves the socket. They reject when it has ended, or does not answer in time. */
export function connectControl<C extends Handlers<C>>(socketPath: string): Control<C> {
  return new Proxy({} as Control<C>, {
    get: (_, command) =>
      // What is awaited is asked for it: this is no promise.
      command === 'then'
        ? undefined
        : async (options: unknown) => {
            const response = await fetch(`http://bench/${String(command)}`, {
              unix: socketPath,
              method: 'POST',
              body: JSON.stringify(options ?? {}),
              signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
              keepalive: false,
            } as BunFetchRequestInit);
            if (!response.ok) throw new Error(`${String(command)}: ${await response.text()}`);
            return response.json();
          },
  });
}
