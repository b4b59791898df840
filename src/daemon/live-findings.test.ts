import { expect, test } from 'bun:test';
import type { Finding } from '../doctor/finding.ts';
import { liveFindings } from './live-findings.ts';

const SECRET = 'auth = "secret"';

test('liveFindings() says where to look and what to do, and shows no line of a file', () => {
  const finding: Finding = {
    id: 'config-path',
    severity: 'error',
    what: 'containerd reads no hosts.toml',
    seen: [
      `/etc/containerd/config.toml:7: ${SECRET}`,
      `/etc/containerd/certs.d/a/hosts.toml: [host.'http://user:secret@b']`,
      '/etc/containerd/config.toml',
      '--containerd-sock /run/containerd.sock',
    ],
    fix: [
      { do: 'replace', file: '/etc/containerd/config.toml', first: 7, last: 8, lines: [SECRET] },
      { do: 'replace', file: '/etc/containerd/config.toml', first: 9, last: 9, lines: [] },
      { do: 'insert', file: '/etc/containerd/config.toml', after: 2, lines: [SECRET] },
      { do: 'write', file: '/etc/containerd/certs.d/a/hosts.toml', lines: [SECRET] },
      { do: 'note', text: 'in the configuration of the machine add', lines: [SECRET] },
      { do: 'run', command: 'systemctl restart containerd' },
    ],
  };
  const [live] = liveFindings([finding]);
  expect(live).toEqual({
    id: 'config-path',
    severity: 'error',
    what: 'containerd reads no hosts.toml',
    seen: [
      '/etc/containerd/config.toml:7',
      '/etc/containerd/certs.d/a/hosts.toml',
      '/etc/containerd/config.toml',
      '--containerd-sock /run/containerd.sock',
    ],
    fix: [
      'in /etc/containerd/config.toml replace lines 7 to 8 by the line that spegel doctor prints',
      'in /etc/containerd/config.toml remove line 9',
      'in /etc/containerd/config.toml after line 2 add the line that spegel doctor prints',
      'write /etc/containerd/certs.d/a/hosts.toml: the line that spegel doctor prints',
      'in the configuration of the machine add: the line that spegel doctor prints',
      'systemctl restart containerd',
    ],
  });
  expect(JSON.stringify(live)).not.toContain('secret');
});
