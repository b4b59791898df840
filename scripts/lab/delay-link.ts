import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCleanup } from './cleanup.ts';
import { startDaemon, waitUntilReady } from './daemon.ts';
import type { Lab } from './lab.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import type { Endpoint } from './network.ts';
import { runCommand } from './run-command.ts';

const SCRIPT = fileURLToPath(import.meta.resolve('./delay-line-process.ts'));
/** The bridge of the lab's network, in the hub's namespace. */
const BRIDGE = 'br0';

/** The names of the links of a namespace. */
async function readLinks({ enter }: NetworkNamespace): Promise<readonly string[]> {
  const links = JSON.parse(await runCommand([...enter, 'ip', '-j', 'link'])) as { readonly ifname: string }[];
  return links.map(({ ifname }) => ifname);
}

/**
 * Lets everything that crosses the endpoint's link, in either direction, come so many ms later, until the result is
 * disposed. The kernel needs tap devices, not netem. One delay at a time for each endpoint.
 */
export async function delayLink(
  { hub, directory }: Pick<Lab, 'hub' | 'directory'>,
  { name }: Pick<Endpoint, 'name'>,
  delayMs: number,
): Promise<AsyncDisposable> {
  const cleanup = createCleanup();
  const [bridge, outer, inner] = [`d-${name}`, `o-${name}`, `i-${name}`];
  const line = startDaemon(
    { cleanup, namespace: hub },
    {
      name: `delay of ${name}`,
      logPath: join(directory, `delay-${name}.log`),
      argv: [process.execPath, SCRIPT, outer, inner, String(delayMs)],
    },
  );
  await waitUntilReady(line, async () => (await readLinks(hub)).includes(inner));
  await hub.ip([
    `link add ${bridge} type bridge`,
    `link set ${bridge} up`,
    `link set ${outer} master ${BRIDGE} up`,
    `link set ${inner} master ${bridge} up`,
    `link set ${name} master ${bridge}`,
  ]);
  return {
    [Symbol.asyncDispose]: async () => {
      await hub.ip([`link set ${name} master ${BRIDGE}`, `link del ${bridge}`]);
      cleanup.run();
    },
  };
}
