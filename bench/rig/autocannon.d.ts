/** What the benchmark uses of a package that comes without types. */
declare module 'autocannon' {
  interface Run extends PromiseLike<unknown> {
    on(
      event: 'response',
      listener: (client: unknown, status: number, bytes: number, durationMs: number) => void,
    ): void;
  }
  interface Options {
    url: string;
    method: 'POST';
    headers: Record<string, string>;
    requests: { body: string }[];
    connections: number;
    duration: number;
  }
  export default function autocannon(options: Options): Run;
}
