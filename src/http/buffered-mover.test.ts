import { testBodyMover } from './body-mover.conformance.ts';
import { createHttpServer } from './buffered-http-server.ts';
import { createBufferedMover } from './buffered-mover.ts';

testBodyMover('createBufferedMover()', (fileBufferBudgetBytes) => ({
  mover: createBufferedMover({ fileBufferBudgetBytes }),
  serve: (handler, onError) => createHttpServer({ address: '127.0.0.1:0', handler, onError }),
}));
