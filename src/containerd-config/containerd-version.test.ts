import { expect, test } from 'bun:test';
import { configVersionOf, parseContainerdVersion } from './containerd-version.ts';

test.each([
  ['1.6.20~ds1', { major: 1, minor: 6 }, 2],
  ['v1.7.28', { major: 1, minor: 7 }, 2],
  ['v2.2.0-rc.1', { major: 2, minor: 2 }, 3],
  ['2.3.4+unknown', { major: 2, minor: 3 }, 4],
  ['2.4', { major: 2, minor: 4 }, 4],
])('parseContainerdVersion() reads %p', (text, version, configVersion) => {
  expect(parseContainerdVersion(text)).toEqual(version);
  expect(configVersionOf(version)).toBe(configVersion);
});

test.each(['', 'unknown', '2', 'containerd 2.1.0'])(
  'parseContainerdVersion() gives undefined for %p',
  (text) => {
    expect(parseContainerdVersion(text)).toBeUndefined();
  },
);
