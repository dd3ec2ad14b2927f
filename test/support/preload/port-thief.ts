import { createServer, Server } from 'node:net';

/** Takes the program's port at the moment at which its first server closes. */
const { close } = Server.prototype;
let isTaken = false;

Server.prototype.close = function closeAndTake(callback) {
  const address = this.address();
  if (!isTaken && typeof address === 'object' && address) {
    isTaken = true;
    this.once('close', () => createServer().listen(address.port, address.address));
  }
  return close.call(this, callback);
};
