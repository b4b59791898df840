import { testBodyMover } from './body-mover.conformance.ts';
import { createBufferedTransport } from './buffered-transport.ts';

testBodyMover('createBufferedTransport()', (fileBufferBudgetBytes) =>
  createBufferedTransport({ fileBufferBudgetBytes }),
);
