import { describe, expect, test } from 'bun:test';
import { checkContainerd } from './check-containerd.ts';

const SOCKET = '/run/containerd/containerd.sock';
const isKubernetes = true;
const EMPTY = { version: '2.3.4', contentRoot: undefined, images: [] };

describe('checkContainerd()', () => {
  test.each([
    ['k8s.io', 'info', ['note', 'run']],
    ['default', 'warning', ['run', 'note']],
  ] as const)('says of an empty namespace %s that it is of severity %s', (namespace, severity, steps) => {
    const { findings } = checkContainerd(EMPTY, { socket: SOCKET, namespace, isKubernetes });
    expect(findings).toMatchObject([{ id: 'namespace-empty', severity }]);
    expect(findings[0]?.fix.map(({ do: kind }) => kind)).toEqual([...steps]);
    // Not the flag that is set already.
    expect(JSON.stringify(findings).includes('--containerd-namespace k8s.io')).toBe(namespace !== 'k8s.io');
  });

  test('finds nothing when there are images', () => {
    const facts = { ...EMPTY, images: [{}] };
    expect(checkContainerd(facts, { socket: SOCKET, namespace: 'k8s.io', isKubernetes }).findings).toEqual(
      [],
    );
  });

  test('finds a containerd that does not answer', () => {
    const facts = { error: new Error('refused') };
    expect(
      checkContainerd(facts, { socket: SOCKET, namespace: 'k8s.io', isKubernetes }).findings,
    ).toMatchObject([{ id: 'containerd-unreachable', severity: 'error', seen: [`${SOCKET}: refused`] }]);
  });

  test('tells a socket that this user may not connect to from one that nothing answers at', () => {
    const cause = new Error(
      '14 UNAVAILABLE: Last error: Error: connect EACCES /run/containerd/containerd.sock',
    );
    const facts = { error: new Error('containerd does not answer', { cause }) };
    expect(checkContainerd(facts, { socket: SOCKET, namespace: 'k8s.io', isKubernetes })).toEqual({
      findings: [],
      unknown: [`containerd was not asked: this user may not connect to ${SOCKET}; run as root`],
    });
  });

  test('names the namespace of ctr and nerdctl where there is no Kubernetes', () => {
    const expected = { socket: SOCKET, namespace: 'k8s.io', isKubernetes: false };
    const [finding] = checkContainerd(EMPTY, expected).findings;
    expect(finding).toMatchObject({ id: 'namespace-empty', severity: 'info' });
    expect(JSON.stringify(finding?.fix)).toContain('ctr and nerdctl');
    expect(JSON.stringify(finding?.fix)).not.toContain('kubelet');
  });
});
