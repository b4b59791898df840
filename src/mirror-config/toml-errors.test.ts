import { describe, expect, test } from 'bun:test';
import { createLogger } from '../observe/log.ts';
import { parseHostsToml } from './hosts-toml.ts';
import { parseTomlTree } from '../containerd-config/toml-tree.ts';

const PASSWORD = 'c2VjcmV0OnBhc3N3b3Jk';
/** The error is on the line after the password. */
const TEXT = `[host."http://m".header]\nAuthorization = "Basic ${PASSWORD}"\nx = = ${'y'.repeat(500_000)}\n`;

describe('an error in a TOML file', () => {
  test.each([
    ['parseHostsToml()', () => parseHostsToml(TEXT)],
    ['parseTomlTree()', () => parseTomlTree(TEXT, 'config.toml')],
  ])('quotes no line of it, in the message of %s or in the log', (_name, parse) => {
    let written = '';
    const logger = createLogger({ level: 'debug', write: (line) => (written += line) });
    try {
      parse();
    } catch (error) {
      logger.error('exit with error', { error });
    }
    expect(written).toContain('line 3, column 5: ');
    expect(written).not.toContain(PASSWORD);
    expect(written.length).toBeLessThan(300);
  });

  test('quotes only the start of a long name', () => {
    expect(() => parseHostsToml(`[host]\n"http://${'m'.repeat(500_000)}" = 1\n`)).toThrow(
      /^host "http:\/\/m{193}…" is no table$/,
    );
  });
});
