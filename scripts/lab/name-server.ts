import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from './cleanup.ts';
import { startDaemon, waitUntilReady } from './daemon.ts';
import type { NetworkNamespace } from './network-namespace.ts';

/** Names, without a dot at the end, and their addresses; SERVFAIL is a name for which the server fails. */
export type Zone = Readonly<Record<string, readonly string[] | 'SERVFAIL'>>;

/** The lab's name server. */
export interface NameServer {
  /** From now on it knows these names and no others. */
  setZone(zone: Zone): void;
}

const SCRIPT = fileURLToPath(import.meta.resolve('./name-server-process.ts'));

/** Starts a name server in the namespace, on port 53 of the address; its zone is a file in the directory. */
export async function startNameServer(
  { cleanup, namespace }: { readonly cleanup: Cleanup; readonly namespace: NetworkNamespace },
  { directory, address, zone }: { readonly directory: string; readonly address: string; readonly zone: Zone },
): Promise<NameServer> {
  const file = join(directory, 'zone.json');
  const setZone = (next: Zone) => {
    // The server may be reading it.
    writeFileSync(`${file}.new`, JSON.stringify(next));
    renameSync(`${file}.new`, file);
  };
  setZone(zone);
  const logPath = join(directory, 'name-server.log');
  const argv = [process.execPath, SCRIPT, address, file];
  const daemon = startDaemon({ cleanup, namespace }, { name: 'name server', argv, logPath });
  await waitUntilReady(daemon, async () => (await daemon.log()).includes('listening'));
  return { setZone };
}
