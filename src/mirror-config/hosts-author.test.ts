import { describe, expect, test } from 'bun:test';
import { hostsAuthor } from './hosts-author.ts';
import { seal } from './hosts-toml-seal.ts';

const host = "[host.'http://10.0.0.1:30020']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'";
const kept = { exists: true, text: undefined };

describe('hostsAuthor()', () => {
  test.each([
    ['for all registries', host],
    ['of a registry, without tags', `server = 'https://a.example'\n\n${host.replace(", 'resolve'", '')}`],
    ['with two targets', `${host}\n\n${host.replace('10.0.0.1', '10.0.0.2')}`],
    ['with a password', `${host}\n[host.'http://10.0.0.1:30020'.header]\nAuthorization = 'Basic YTpi'`],
    ['with what was there before', `${host}\n\n[host.'https://b.example']\nca = 'x'`],
  ])('hostsAuthor() knows a file of the original %s', (_what, text) => {
    expect(hostsAuthor(text, kept)).toBe('original');
    expect(hostsAuthor(`${text}\n`, kept)).toBe('other');
    expect(hostsAuthor(text, { exists: false, text: undefined })).toBe('other');
    expect(hostsAuthor(text, { exists: true, text })).toBe('other');
  });

  test('hostsAuthor() knows ours, with and without _backup', () => {
    expect(hostsAuthor(seal(host), kept)).toBe('spegel');
    expect(hostsAuthor(seal(host), { exists: false, text: undefined })).toBe('spegel');
  });

  test.each(["server = 'https://a.example'", `# mine\n${host}`, `${seal(host)}# mine\n`, '<html>'])(
    'hostsAuthor() takes %p for somebody else’s',
    (text) => {
      expect(hostsAuthor(text, kept)).toBe('other');
    },
  );
});
