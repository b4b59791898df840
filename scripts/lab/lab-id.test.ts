import { describe, expect, test } from 'bun:test';
import { createLabId, isOfDeadLab } from './lab-id.ts';

/** No process has this number: Linux ends at 2^22. */
const NO_PID = 4_194_305;

describe('isOfDeadLab()', () => {
  test('isOfDeadLab() is true for what a process of this PID namespace left that has ended', () => {
    const id = createLabId();
    const dead = id.replace(/\d+/, String(NO_PID));
    expect([id, `${id}-n1`, dead, `${dead}-n1`].map(isOfDeadLab)).toEqual([false, false, true, true]);
  });

  test('isOfDeadLab() is false for a lab of another PID namespace, whose processes cannot be seen, and for other names', () => {
    const dead = createLabId().replace(/\d+/, String(NO_PID));
    const at = dead.indexOf('-') + 1;
    const other = dead[at] === 'z' ? 'y' : 'z';
    const elsewhere = `${dead.slice(0, at)}${other}${dead.slice(at + 1)}`;
    expect([elsewhere, `lab${NO_PID}`, 'labor', ''].map(isOfDeadLab)).toEqual([false, false, false, false]);
  });
});
