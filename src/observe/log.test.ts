import { describe, expect, test } from 'bun:test';
import { createLogger } from './log.ts';

function setUp(level: 'debug' | 'info' | 'warn' | 'error') {
  const lines: string[] = [];
  const now = () => new Date('2026-01-02T03:04:05.678Z');
  const logger = createLogger({ level, write: (line) => void lines.push(line), now });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger()', () => {
  test('writes one JSON line with time, level, msg and the fields', () => {
    const { logger, lines } = setUp('info');
    logger.with({ node: 'a' }).info('it happened', { count: 1 });
    expect(lines).toEqual([
      '{"time":"2026-01-02T03:04:05.678Z","level":"INFO","msg":"it happened","node":"a","count":1}\n',
    ]);
  });

  test('leaves out what is below its level', () => {
    const { logger, parsed } = setUp('warn');
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
    expect(parsed().map(({ level }) => level)).toEqual(['WARN', 'ERROR']);
  });

  test('writes errors with name, code and causes, however deep or circular these are', () => {
    const { logger, parsed } = setUp('info');
    const cause = Object.assign(new TypeError('inner'), { code: 'ECONNREFUSED' });
    logger.info('failed', { error: new Error('outer', { cause }) });
    expect(parsed()[0]?.['error']).toEqual({
      name: 'Error',
      message: 'outer',
      cause: { name: 'TypeError', message: 'inner', code: 'ECONNREFUSED' },
    });
    const circular = new Error('circular');
    circular.cause = circular;
    logger.info('failed', { error: circular });
    expect(parsed()).toHaveLength(2);
  });

  test('never throws for a field that JSON cannot hold', () => {
    const { logger, parsed } = setUp('info');
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    logger.info('odd', { circular });
    logger.info('odd', { big: 5n, nothing: undefined });
    expect(parsed()).toMatchObject([{ msg: 'odd' }, { msg: 'odd', big: '5' }]);
  });
});
