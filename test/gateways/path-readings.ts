/** Every way in which a server may read a path: decoded or not, by its own rules for `;` and `\`. */
export function readingsOf(url: string): string[] {
  const [path = ''] = url.split('?');
  const texts = [path, decode(path)];
  const bare = [...texts, ...texts.map((text) => text.replaceAll(/;[^/]*/g, ''))];
  return [...bare, ...bare.map((text) => text.replaceAll('\\', '/'))].map(normalise);
}

export function decode(path: string): string {
  return path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function normalise(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}
