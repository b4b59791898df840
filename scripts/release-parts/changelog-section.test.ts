import { describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { REPOSITORY } from '../chart/render-chart.ts';
import { changelogSection } from './changelog-section.ts';

const CHANGELOG = `# Changelog

## [Unreleased]

## [1.10.0] - 2026-02-03

### Added

- A.

## [1.1.0] - 2026-01-02

- B.

## [1.0.0]

- C.

## [0.9.0] - 2025-01-02
`;

describe('changelogSection()', () => {
  test.each([
    ['1.10.0', '2026-02-03', '### Added\n\n- A.'],
    ['1.1.0', '2026-01-02', '- B.'],
  ])('changelogSection() finds that of %s', (version, date, text) => {
    expect(changelogSection(CHANGELOG, version)).toEqual({ date, text });
  });

  test.each([
    ['1.1', 'has no section of 1.1: put the heading "## [1.1] - YYYY-MM-DD"'],
    ['1.0.0', 'has "## [1.0.0]" where it should have "## [1.0.0] - YYYY-MM-DD"'],
    ['0.9.0', 'says nothing below "## [0.9.0] - 2025-01-02"'],
  ])('changelogSection() refuses that of %s', (version, reason) => {
    expect(() => changelogSection(CHANGELOG, version)).toThrow(reason);
  });

  test('changelogSection() finds that of this version', async () => {
    const changelog = await readFile(join(REPOSITORY, 'CHANGELOG.md'), 'utf8');
    expect(changelogSection(changelog, packageJson.version).text).toContain('### Added');
  });
});
