import { describe, expect, test } from 'bun:test';
import { formatDiff } from './hosts-diff.ts';

const path = '/c/hosts.toml';
const lines = (...texts: readonly (string | number)[]) => texts.map((text) => `${text}\n`).join('');

describe('formatDiff()', () => {
  test.each<[what: string, before: string | undefined, after: string | undefined, diff: string]>([
    ['nothing', 'a\n', 'a\n', ''],
    ['a new file', undefined, 'a\nb\n', `--- /dev/null\n+++ ${path}\n@@ -0,0 +1,2 @@\n+a\n+b\n`],
    ['a removed file', 'a\n', undefined, `--- ${path}\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n`],
    [
      'a change with three lines around it',
      lines(1, 2, 3, 4, 5, 6, 7, 8, 9),
      lines(1, 2, 3, 4, 'five', 6, 7, 8, 9),
      `--- ${path}\n+++ ${path}\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n`,
    ],
    [
      'two changes far from each other',
      lines('a', 1, 2, 3, 4, 5, 6, 7, 'b'),
      lines(1, 2, 3, 4, 5, 6, 7, 'b', 'c'),
      `--- ${path}\n+++ ${path}\n@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n@@ -7,3 +6,4 @@\n 6\n 7\n b\n+c\n`,
    ],
    [
      'a missing line end',
      'a',
      'a\n',
      `--- ${path}\n+++ ${path}\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n`,
    ],
    [
      'credentials, which it does not show',
      'Authorization = ["Basic YTpi"]\n',
      "authorization = 'Bearer abc.def'\nx = 'Basic YTpi'\n",
      `--- ${path}\n+++ ${path}\n@@ -1,1 +1,2 @@\n-Authorization = '(not shown)'\n+authorization = '(not shown)'\n+x = 'Basic (not shown)'\n`,
    ],
    [
      'no value of a header table, and no password of a URL',
      "[host.'http://m']\nca = 'x'\n[host.'http://m'.header]\nX-Token = ['s3cret',\n'more']\n",
      "server = 'https://u:s3cret@r'\nheader = { X-Token = 's3cret' }\n[host.'http://m']\nca = 'x'\n",
      `--- ${path}\n+++ ${path}\n@@ -1,5 +1,4 @@\n+server = 'https://(not shown)@r'\n+header = '(not shown)'\n [host.'http://m']\n ca = 'x'\n-[host.'http://m'.header]\n-X-Token = '(not shown)'\n-(not shown)\n`,
    ],
    [
      'the start of a long line',
      undefined,
      `a = '${'x'.repeat(500_000)}'\n`,
      `--- /dev/null\n+++ ${path}\n@@ -0,0 +1,1 @@\n+a = '${'x'.repeat(295)}… (500006 characters)\n`,
    ],
    [
      'how long a file is that is far too long',
      'x\n'.repeat(100_000),
      'y\n',
      `--- ${path}\n+++ ${path}\n# 100000 lines before, 1 after: too many to show\n`,
    ],
  ])('formatDiff() shows %s', (_what, before, after, diff) => {
    expect(formatDiff({ path, before, after })).toBe(diff);
  });
});
