/**
 * Runs inside the hub's namespace and carries bytes between unix sockets, which have no namespace,
 * and TCP addresses of the lab. So the lab's process stays in the machine's own namespace and still
 * talks HTTP to every node. Each line on standard input is `<socket path> <host> <port>`; a line
 * with the socket's path on standard output says that it is open.
 */
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  const [path, host, port] = line.split(' ');
  if (path === undefined || host === undefined || port === undefined) continue;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host, port: Number(port), allowHalfOpen: true });
    join(client, target);
    join(target, client);
  });
  server.listen(path, () => console.log(path));
}
process.exit(0);

/** Hands on bytes and the end of the stream; anything but a clean end breaks off the other side. */
function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on('error', () => to.destroy());
  from.on('close', (hadError) => {
    if (hadError) to.destroy();
  });
}
