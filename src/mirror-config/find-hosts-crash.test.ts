import { expect, test } from 'bun:test';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { findHostsProblem } from './find-hosts-problem.ts';

const OLD = { major: 1, minor: 7 };
const NEW = { major: 2, minor: 3 };

/** What the code of containerd 1.7.28 and 2.3.4 does: it takes the file, ignores it, or panics at that line. */
const EFFECTS: ReadonlyArray<readonly [text: string, old: Effect, asNew: Effect]> = [
  ['[host]\nx.skip_verify = true\n', 'taken', 'taken'],
  ['[host]\nx.ca = "a"\nx.skip_verify = true\n', 'taken', 3],
  ['[host]\nx.ca = "a"\nx.SKIP_VERIFY = true\n', 'taken', 3],
  ["[host]\nx.future = 1\ny.ca = []\n'x'.skip_verify = true\n", 'taken', 4],
  ['[host]\nx.skip_verify = true\nx.ca = []\nx.Skip_verify = false\n', 'taken', 'taken'],
  ['[host]\nx.ca = []\ny.skip_verify = true\n', 'taken', 'taken'],
  ['host.x.ca = []\nhost.x.skip_verify = true\n', 'taken', 2],
  ['host = { x.ca = [], x.skip_verify = true }\n', 'taken', 1],
  ['host = { x = { ca = [], skip_verify = true } }\n', 'taken', 'taken'],
  ['host.x = { ca = [], skip_verify = true }\n', 'taken', 'taken'],
  ['[Host]\nx.ca = []\nx.skip_verify = true\n', 'ignored', 3],
  ['[other]\nx.ca = []\nx.skip_verify = true\n', 'ignored', 'taken'],
  ['[[other]]\nhost.x.ca = []\nhost.x.skip_verify = true\n', 'ignored', 'taken'],
  ['[host.x.header]\nb = "1"\n[host.x]\nskip_verify = true\n', 'taken', 'taken'],
  // What comes first counts.
  ['capabilities = 1\n[host]\nx.ca = []\nx.skip_verify = true\n', 'ignored', 'ignored'],
  ['[host]\nx.ca = []\nx.skip_verify = true\n[y]\nb = { a = 1, }\n', 'ignored', 3],
  ['b = { a = 1, }\n[host]\nx.ca = []\nx.skip_verify = true\n', 'ignored', 'ignored'],
  ['[host.y]\nca = 1\n[host]\nx.ca = []\nx.skip_verify = true\n', 'ignored', 5],
  ['[host]\nx.ca = []\nx.skip_verify = true\n\ny = = 1\n', 'ignored', 3],
  ['y = = 1\n[host]\nx.ca = []\nx.skip_verify = true\n', 'ignored', 'ignored'],
  ['[host.x.skip_verify.a]\n', 'ignored', 1],
  ['[host.x.Override_Path.a]\n', 'taken', 1],
  ['[[skip_verify.a]]\n', 'ignored', 1],
  ['[server.a]\n', 'ignored', 1],
  ['[host.x.server.a]\n', 'taken', 'taken'],
  ['[host.x.future.a.b]\n', 'taken', 'taken'],
  ['[host.x.capabilities.a]\n', 'ignored', 'ignored'],
  ['[[host.x.ca]]\nq = 1\n', 'ignored', 'taken'],
  ['[host]\nx = 1\n[host.y]\n', 2, 'ignored'],
  ['[host]\ny = []\nx = 1\n', 2, 'ignored'],
  ['[[host.a]]\n[host.b]\n', 1, 'ignored'],
  ['[host]\nx = 1\n', 'ignored', 'ignored'],
];
type Effect = 'taken' | 'ignored' | number;

test.each(EFFECTS)('findHostsProblem() tells what containerd does about %j', (text, old, asNew) => {
  const effectIn = (version: ContainerdVersion): Effect => {
    const { effect, line } = findHostsProblem(text, version) ?? {};
    return effect === undefined ? 'taken' : effect === 'crashes' ? (line ?? 0) : 'ignored';
  };
  expect([effectIn(OLD), effectIn(NEW)]).toEqual([old, asNew]);
});
