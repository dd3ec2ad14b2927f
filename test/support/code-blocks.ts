/** A fenced block of a page, with the comment right before it. */
export interface CodeBlock {
  marker: string | null;
  language: string;
  code: string;
}

const FENCED = /(?:^<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$/gms;

export function codeBlocksOf(page: string): CodeBlock[] {
  return [...page.matchAll(FENCED)].map(([, marker = null, language = '', code = '']) => ({
    marker,
    language,
    code,
  }));
}

/** The block with this marker. */
export function blockMarked(page: string, marker: string): string {
  const found = codeBlocksOf(page).find((block) => block.marker === marker);
  if (!found) throw new Error(`the page has no block "${marker}"`);
  return found.code;
}

/** The ports of an example in place of others, so that it runs beside what else does. */
export function withPorts(text: string, ports: Readonly<Record<string, number>>): string {
  const named = new RegExp(`\\b(?:${Object.keys(ports).join('|')})\\b`, 'g');
  return text.replaceAll(named, (port) => String(ports[port]));
}
