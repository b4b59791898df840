import type { FixStep } from './finding.ts';
import { type HostsFacts, isTargetAssumed, mirrorTargets } from './mirror-targets.ts';

/** What writes the mirror into the hosts.toml files below that folder. */
export function configureStep(facts: HostsFacts, configPath: string): readonly FixStep[] {
  const { mirroredRegistries, distribution } = facts;
  const isAssumed = isTargetAssumed(facts);
  // The port on the node is the chart's, and not the one on which the mirror listens in its pod.
  const isPortOpen = isAssumed && distribution.isKubernetes;
  const targets = isPortOpen ? ['http://127.0.0.1:<port>'] : mirrorTargets(facts);
  const port =
    "<port> is the one at which the node reaches the mirror: the chart's service.registry.hostPort or nodePort";
  if (distribution.id === 'bottlerocket') {
    return [
      {
        do: 'note',
        text: `in the settings of Bottlerocket, which writes the files itself, once per registry${isPortOpen ? `; ${port}` : ''}`,
        lines: [
          '[[settings.container-registry.mirrors]]',
          'registry = "docker.io"',
          `endpoint = [${targets.map((target) => JSON.stringify(target)).join(', ')}]`,
        ],
      },
    ];
  }
  const words = [
    'spegel configure',
    `--containerd-registry-config-path ${configPath}`,
    ...(mirroredRegistries.length === 0 ? [] : [`--mirrored-registries ${mirroredRegistries.join(' ')}`]),
    `--mirror-targets ${targets.join(' ')}`,
  ];
  return [
    ...(isPortOpen ? [{ do: 'note', text: port } as const] : []),
    { do: 'run', command: words.join(' ') },
  ];
}
