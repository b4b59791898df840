import { testTransport } from './transport.conformance.ts';
import { createBufferedTransport } from './buffered-transport.ts';

testTransport('createBufferedTransport()', (fileBufferBudgetBytes) =>
  createBufferedTransport({ fileBufferBudgetBytes }),
);
