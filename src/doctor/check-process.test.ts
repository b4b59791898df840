import { describe, expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { checkProcess } from './check-process.ts';
import { type DistributionId, DISTRIBUTIONS } from './distribution.ts';

const FILE = '/etc/containerd/config.toml';
const HOUR_SECONDS = 3600;

async function check(
  options: {
    readonly startedAtSeconds?: number;
    readonly environment?: Readonly<Record<string, string>>;
    readonly configFile?: string;
    readonly id?: DistributionId;
  } = {},
) {
  const { startedAtSeconds = Date.now() / 1000, environment = {}, configFile = FILE, id = 'plain' } = options;
  await using folder = await createHostFolder({ [FILE]: '', '/etc/linked.toml': `-> ${FILE}` });
  const { findings } = await checkProcess(folder.host, {
    process: { pid: 7, configFile, startedAtSeconds, environment: new Map(Object.entries(environment)) },
    distribution: DISTRIBUTIONS[id],
    configFile: FILE,
    configFiles: [FILE],
    targets: ['http://10.0.0.7:30020', 'http://[fd00::7]:30021'],
  });
  return findings;
}

describe('checkProcess()', () => {
  test('finds nothing wrong with one that was started after its files were written', async () => {
    expect(await check()).toEqual([]);
    expect(await check({ configFile: '/etc/linked.toml' })).toEqual([]);
  });

  test('finds files that were changed since', async () => {
    const startedAtSeconds = Date.now() / 1000 - HOUR_SECONDS;
    expect(await check({ startedAtSeconds })).toMatchObject([
      {
        id: 'containerd-not-restarted',
        severity: 'warning',
        fix: [{ do: 'run', command: 'systemctl restart containerd' }],
      },
    ]);
  });

  test('finds one that was started with another file, and then compares no times', async () => {
    const startedAtSeconds = Date.now() / 1000 - HOUR_SECONDS;
    const findings = await check({ startedAtSeconds, configFile: '/etc/other.toml' });
    expect(findings).toMatchObject([
      {
        id: 'config-of-another-containerd',
        seen: ['process 7: --config /etc/other.toml', `looked at: ${FILE}`],
      },
    ]);
  });

  test('finds a proxy before the mirror, and does not show its password', async () => {
    const environment = { HTTP_PROXY: 'http://user:secret@proxy:8080', NO_PROXY: '192.168.0.0/16' };
    const [finding] = await check({ environment });
    expect(finding).toMatchObject({ id: 'mirror-through-proxy', severity: 'error' });
    expect(JSON.stringify(finding)).not.toContain('secret');
    expect(finding?.fix[0]).toEqual({
      do: 'write',
      file: '/etc/systemd/system/containerd.service.d/zz-spegel-no-proxy.conf',
      lines: [
        '[Service]',
        'Environment="NO_PROXY=192.168.0.0/16,10.0.0.7,fd00::7" "no_proxy=192.168.0.0/16,10.0.0.7,fd00::7"',
      ],
    });
    expect(await check({ environment: { ...environment, NO_PROXY: '10.0.0.0/8,fd00::/8' } })).toEqual([]);
  });

  test.each<[DistributionId, string]>([
    ['k3s', '/etc/systemd/system/k3s.service.env'],
    ['talos', 'no_proxy: '],
    ['bottlerocket', '[settings.network]'],
    ['k0s', 'k0s service'],
  ])('tells %s where its environment is', async (id, text) => {
    const [finding] = await check({ id, environment: { http_proxy: 'proxy:8080' } });
    expect(JSON.stringify(finding?.fix[0])).toContain(text);
  });
});
