import { testBodyMover } from './body-mover.conformance.ts';
import { createKernelTransport } from './kernel-transport.ts';

testBodyMover('createKernelTransport()', (fileBufferBudgetBytes) =>
  createKernelTransport({
    fileBufferBudgetBytes,
    // Whatever the tests move.
    minBytes: 1,
    lendsFromBytes: 0,
    onError: (error) => {
      throw error;
    },
  }),
);
