import { type Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: unknown;
}

export interface Target {
  port: number;
  agent: Agent;
  timeoutMs: number;
}

/** Sends JSON to a loopback port. Rejects if no whole answer comes in time. */
export function callOverHttp(
  { port, agent, timeoutMs }: Target,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: object,
): Promise<Answer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const type = text && { 'content-type': 'application/json', 'content-length': text.length };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...{ host: '127.0.0.1', port, agent, method, path },
        headers: { ...headers, ...type },
        signal: AbortSignal.timeout(timeoutMs),
      },
      (incoming) => {
        let received = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => {
          received += chunk;
        });
        incoming.on('error', reject);
        incoming.on('close', () => reject(new Error('the answer was cut off')));
        incoming.on('end', () => {
          const { statusCode: status = 0, headers: answered } = incoming;
          resolve({ status, headers: answered, body: parse(received) });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

/** Null for what is not JSON, such as a page of a load balancer. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
