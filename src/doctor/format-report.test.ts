import { expect, test } from 'bun:test';
import { USED_CANARY } from '../canary/canary-result.fixture.ts';
import { checkCanary } from './check-canary.ts';
import type { NodeReport } from './examine-node.ts';
import { formatReport } from './format-report.ts';

const REPORT: NodeReport = {
  distribution: { id: 'k3s', name: 'K3s' } as NodeReport['distribution'],
  containerd: { version: '2.1.4', source: 'socket' },
  configFiles: ['/etc/containerd/config.toml'],
  configPath: '/etc/containerd/certs.d',
  targets: ['http://127.0.0.1:30020'],
  isTargetAssumed: false,
  findings: [
    {
      id: 'registry-configs',
      severity: 'info',
      what: 'registry.configs is set',
      seen: [],
      fix: [],
    },
    {
      id: 'target-unreachable',
      severity: 'error',
      what: 'nothing answers at the address at which containerd is told to ask the mirror, so that it goes to the registry',
      seen: ['GET http://127.0.0.1:30020/readyz: \u001B[31mconnection refused', 'second sight'],
      fix: [
        {
          do: 'run',
          command: `spegel configure --mirror-targets ${'http://127.0.0.1:30020 '.repeat(4).trim()}`,
        },
        {
          do: 'note',
          text: 'set what follows in the values of the chart, and wait for the pods',
          lines: ['a:', '  b: 1'],
        },
      ],
    },
  ],
  unknown: [
    "containerd's process was not looked at, as none is seen from here: run spegel doctor on the node",
  ],
};

test('formatReport() has the verdict first and what is worst next, and breaks no command', () => {
  expect(formatReport(REPORT, { width: 60, hasColor: false })).toBe(`1 error, 1 info.

node         K3s
containerd   2.1.4
its files    /etc/containerd/config.toml
config_path  /etc/containerd/certs.d
mirror       http://127.0.0.1:30020

ERROR target-unreachable
  nothing answers at the address at which containerd is told
  to ask the mirror, so that it goes to the registry.
  seen  GET http://127.0.0.1:30020/readyz: ?[31mconnection
        refused
        second sight
  fix   spegel configure --mirror-targets http://127.0.0.1:30020 http://127.0.0.1:30020 http://127.0.0.1:30020 http://127.0.0.1:30020
  then  set what follows in the values of the chart, and
        wait for the pods:
          a:
            b: 1

INFO registry-configs
  registry.configs is set.

Not looked at:
  containerd's process was not looked at, as none is seen
  from here: run spegel doctor on the node
`);
});

test('formatReport() says what the canary has shown once', () => {
  const text = 'containerd did not ask this mirror';
  const canary = { ...USED_CANARY, outcome: 'not-used', text } as const;
  const look = { width: 80, hasColor: false };
  const { findings } = checkCanary(canary);
  const report = formatReport({ ...REPORT, canary, findings, unknown: [] }, look);
  expect(report).toContain('\ncanary       not-used: see below\n');
  expect(report.split(text)).toHaveLength(2);
  expect(formatReport({ ...REPORT, canary: USED_CANARY }, look)).toContain(`used: ${USED_CANARY.text}`);
});

test('formatReport() colours the verdict by the worst finding, and severities', () => {
  const look = { width: 80, hasColor: true };
  const text = formatReport(REPORT, look);
  expect(text).toStartWith('\u001B[31m1 error, 1 info.\u001B[0m\n');
  expect(text).toContain('\u001B[31mERROR\u001B[0m \u001B[1mtarget-unreachable\u001B[0m\n');
  expect(formatReport({ ...REPORT, findings: [], unknown: [] }, look)).toStartWith(
    '\u001B[32mNothing found: containerd asks the mirror, and the mirror can serve.\u001B[0m\n',
  );
});
