import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from './cleanup.ts';
import type { NetworkNamespace } from './network-namespace.ts';

/** HTTP from this process into the lab. */
export interface LabHttp {
  /** As fetch, with an address of the lab. Nothing is decompressed, no redirect is followed. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
}

const SCRIPT = fileURLToPath(import.meta.resolve('./relay.ts'));

/** Starts the relay in the hub's namespace; its sockets are in the directory. */
export function startLabHttp(
  { cleanup, hub }: { readonly cleanup: Cleanup; readonly hub: NetworkNamespace },
  { directory }: { readonly directory: string },
): LabHttp {
  const relay = Bun.spawn([...hub.enter, 'setpriv', '--pdeathsig', 'KILL', process.execPath, SCRIPT], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
    detached: true,
    cwd: directory,
  });
  cleanup.defer('relay', () => relay.kill('SIGKILL'));

  const waiting = new Map<string, () => void>();
  const lines = createInterface({ input: Readable.fromWeb(relay.stdout as never) });
  lines.on('line', (path) => {
    waiting.get(path)?.();
    waiting.delete(path);
  });

  const sockets = new Map<string, Promise<string>>();
  const socketFor = async (host: string, port: string): Promise<string> => {
    const target = `${host} ${port}`;
    let opened = sockets.get(target);
    if (opened === undefined) {
      const path = join(directory, `${sockets.size}.sock`);
      opened = new Promise<string>((resolve, reject) => {
        waiting.set(path, () => resolve(path));
        void relay.exited.then(() => reject(new Error('The relay into the lab has ended')));
      });
      sockets.set(target, opened);
      void relay.stdin.write(`${path} ${target}\n`);
      await relay.stdin.flush();
    }
    return opened;
  };

  return {
    fetch: async (url, init = {}) => {
      const { hostname, port } = new URL(url);
      const unix = await socketFor(hostname.replace(/^\[|\]$/g, ''), port === '' ? '80' : port);
      return fetch(url, {
        redirect: 'manual',
        decompress: false,
        keepalive: false,
        ...init,
        unix,
      } as BunFetchRequestInit);
    },
  };
}
