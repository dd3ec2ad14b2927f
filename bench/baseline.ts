import Fastify from 'fastify';

/** A server that does nothing: takes the same request, and sends the answer it was given. */
const answer = process.argv[2] ?? '{}';
const app = Fastify();
app.post('/v1/verify', (_request, reply) => {
  reply.header('content-type', 'application/json; charset=utf-8');
  return reply.send(answer);
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stderr.write(`listens on ${url}\n`);
