import Fastify from 'fastify';

/** The baseline: the framework's own cost of the same request and the same answer. */
const answer = process.env.ANSWER ?? '{}';
const app = Fastify();

app.post(
  '/v1/verify',
  {
    schema: {
      body: {
        type: 'object',
        required: ['key'],
        properties: { key: { type: 'string', minLength: 1, maxLength: 512 } },
      },
    },
  },
  (_request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-request-id': 'req_00000000-0' });
    reply.type('application/json; charset=utf-8').send(answer);
  },
);

process.stderr.write(`listens on ${await app.listen({ port: 0, host: '127.0.0.1' })}\n`);
process.once('SIGTERM', () => void app.close());
