import { readHostUrl } from './asked-url.ts';
import { DEFAULT_FOLDER } from './host-folder.ts';

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };
/** The name and the registry behind it. */
const DOCKER_HUB = ['docker.io', 'registry-1.docker.io'];

/**
 * True if a `[host]` table is about the registry itself, not about a mirror of it: its URL has the host and port of the
 * registry's name or of its server, over HTTP or HTTPS.
 */
export function isRegistryItself(
  url: string,
  { registry, server }: { readonly registry: string; readonly server: string | undefined },
): boolean {
  const names = registry === DEFAULT_FOLDER ? [] : registry === 'docker.io' ? DOCKER_HUB : [registry];
  const host = authorityOf(url);
  if (host === undefined || host === '') return false;
  const own = names.flatMap((name) => [authorityOf(`http://${name}`), authorityOf(`https://${name}`)]);
  return [...own, server === undefined ? undefined : authorityOf(server)].includes(host);
}

/** Host and port, without the port that the scheme has anyway; undefined for what is no URL. */
function authorityOf(name: string): string | undefined {
  const url = readHostUrl(name);
  if (url === undefined) return undefined;
  const defaultPort = new RegExp(`:0*${DEFAULT_PORTS[url.scheme] ?? ''}$`);
  return url.host.toLowerCase().replace(defaultPort, '');
}
