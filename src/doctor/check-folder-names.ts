import { DEFAULT_FOLDER } from '../mirror-config/host-folder.ts';
import type { HostsFolder } from '../mirror-config/read-hosts-folders.ts';
import type { Finding } from './finding.ts';

/** Names by which Docker Hub is known, while its images have the registry `docker.io`. */
const DOCKER_HUB = new Set(['registry-1.docker.io', 'index.docker.io', 'registry.docker.io']);

/** Why containerd never looks for a folder of that name, undefined if it does. */
export function unreadBecause(registry: string): string | undefined {
  if (DOCKER_HUB.has(registry)) {
    return 'images of Docker Hub have the registry docker.io, wherever they come from';
  }
  if (registry === DEFAULT_FOLDER || /[.:[]/.test(registry) || registry === 'localhost') return undefined;
  return "the first part of an image's name is a registry only with a dot or a port; the folder for all registries is _default";
}

/** Finds folders that containerd never looks into, or only for names that are unusual. */
export function checkFolderNames(folders: readonly HostsFolder[]): Finding[] {
  const names = new Set(folders.map(({ registry }) => registry));
  return folders.flatMap(({ registry, path, problem }) => {
    const failsPulls = problem?.effect === 'fails-pulls';
    const why = unreadBecause(registry);
    const right = DOCKER_HUB.has(registry) ? 'docker.io' : DEFAULT_FOLDER;
    const [, host] = /^(.+):(?:443|80)$/.exec(registry) ?? [];
    if (failsPulls || (why === undefined && (host === undefined || names.has(host)))) return [];
    return [
      {
        id: 'hosts-folder-unread',
        severity: why === undefined ? 'info' : 'warning',
        what:
          why === undefined
            ? `the folder of ${registry} counts for images whose name has that port, and not for those of ${host}`
            : `containerd never looks into the folder ${registry}: ${why}`,
        seen: [path],
        fix: [
          {
            do: 'note',
            text:
              why === undefined
                ? `nothing, if names of images have the port; else name the folder ${host}`
                : `name the folder ${right}, or remove it`,
          },
        ],
      } satisfies Finding,
    ];
  });
}
