import { DEFAULT_FOLDER } from './host-folder.ts';
import { parseGoUrl } from './go-url.ts';

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
  const host = parse(url);
  if (host === undefined || host.authority === '') return false;
  const own = names.flatMap((name) => [parse(`http://${name}`), parse(`https://${name}`)]);
  return [...own, server === undefined ? undefined : parse(server)].some(
    (other) => other?.authority === host.authority,
  );
}

/** Host and port, without the port that the scheme has anyway; undefined for what is no URL. */
function parse(text: string): { readonly authority: string } | undefined {
  try {
    const { scheme, host } = parseGoUrl(text.startsWith('http') ? text : `https://${text}`);
    const defaultPort = new RegExp(`:0*${DEFAULT_PORTS[scheme] ?? ''}$`);
    return { authority: host.toLowerCase().replace(defaultPort, '') };
  } catch {
    return undefined;
  }
}
