import { testTransport } from './transport.conformance.ts';
import { createBufferedTransport } from './buffered-transport.ts';

testTransport('createBufferedTransport()', (fileBufferBudgetBytes) =>
  // Connections are counted, however busy the machine is.
  createBufferedTransport({ fileBufferBudgetBytes, lateMs: 60_000 }),
);
