import { expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { FlightReport } from './flight-messages.ts';
import { createReportQueue } from './report-queue.ts';

const [ONE, OTHER] = ['one', 'other'].map((text) => digestOf(Buffer.from(text)));

function start() {
  const clock = createVirtualClock();
  const sent: [tower: string, state: FlightReport['state'], writtenBytes: number][] = [];
  const { report } = createReportQueue({
    clock,
    send: (tower, { state, writtenBytes }) => void sent.push([tower, state, writtenBytes]),
    isToldFirst: (tower) => tower !== 'far',
  });
  const told = (
    state: FlightReport['state'],
    writtenBytes: number,
    { digest = ONE, isInRecords = true, tower = '01' } = {},
  ) => {
    if (digest === undefined) throw new Error('No digest');
    report(tower, { digest, state, isRoot: true, hasBegun: true, writtenBytes }, isInRecords);
  };
  return { clock, sent, report: told };
}

test('createReportQueue() tells of a download that goes on later, with what it is then, and of its end at once', async () => {
  const { report, sent, clock } = start();
  report('running', 1);
  report('running', 2);
  await clock.advance(299);
  expect(sent).toEqual([]);
  await clock.advance(1);
  expect(sent).toEqual([['01', 'running', 2]]);
  report('done', 3, { isInRecords: false });
  expect(sent.at(-1)).toEqual(['01', 'done', 3]);
  await clock.advance(1000);
  expect(sent).toHaveLength(2);
});

test('createReportQueue() does not tell of one that is over at once, if the records of the DHT do', async () => {
  const { report, sent, clock } = start();
  report('running', 1);
  report('done', 2);
  report('done', 2, { digest: OTHER });
  await clock.advance(1000);
  expect(sent).toEqual([]);
});

test.each([
  ['one that leads an image', 'done', false],
  ['one that was given up', 'aborted', true],
] as const)('createReportQueue() tells the end of %s in any case', async (_, state, isInRecords) => {
  const { report, sent, clock } = start();
  report('running', 1);
  report(state, 2, { isInRecords });
  await clock.advance(1000);
  expect(sent).toEqual([['01', state, 2]]);
});

test('createReportQueue() tells the end to a tower that gets no record at once', async () => {
  const { report, sent, clock } = start();
  report('done', 1);
  report('done', 1, { tower: 'far' });
  await clock.advance(1000);
  expect(sent).toEqual([['far', 'done', 1]]);
});
