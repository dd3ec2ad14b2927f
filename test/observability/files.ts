import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const DEPLOY = fileURLToPath(new URL('../../deploy/observability/', import.meta.url));

export interface Alert {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

interface Rules {
  groups: { rules: Alert[] }[];
}

/** A panel of the dashboard, a row included, which has no targets. */
export interface Panel {
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig?: { defaults: { unit: string; custom: { stacking: { mode: string } } } };
  targets?: { expr: string; legendFormat: string }[];
}

/** An expression, and where it is. */
export interface Expression {
  of: string;
  expr: string;
}

export function readAlerts(): Alert[] {
  const { groups }: Rules = parse(readFileSync(`${DEPLOY}keyward-alerts.yml`, 'utf8'));
  return groups.flatMap(({ rules }) => rules);
}

export function readPanels(): Panel[] {
  const text = readFileSync(`${DEPLOY}grafana/dashboard-keyward.json`, 'utf8');
  const { panels }: { panels: Panel[] } = JSON.parse(text);
  return panels;
}

/** A panel's expression with Grafana's variables filled in. */
export function filledIn(expr: string, rateInterval = '5m'): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll('$instance', '.+');
}

/** Every expression of the alerts and of the dashboard. */
export function readExpressions(): Expression[] {
  const ofAlerts = readAlerts().map(({ alert, expr }) => ({ of: alert, expr }));
  const ofPanels = readPanels().flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ of: `panel ${title}`, expr: filledIn(expr) })),
  );
  return [...ofAlerts, ...ofPanels];
}

/** A metric that an expression names, with the labels by which it selects. */
export interface Selected {
  metric: string;
  labels: string[];
}

const SELECTOR = /\b(up|(?:keyward|process|nodejs)_\w+)\b(?:\{([^}]*)\})?/g;
const MATCHER = /(\w+)\s*(?:=~|!~|!=|=)\s*"/g;
const GROUPING = /\b(?:by|on|without)\s*\(([^)]*)\)/g;

export function selectedBy(expr: string): Selected[] {
  return [...expr.matchAll(SELECTOR)].map(([, metric = '', matchers = '']) => ({
    metric,
    labels: [...matchers.matchAll(MATCHER)].map(([, label = '']) => label),
  }));
}

/** The labels by which an expression groups. */
export function groupedBy(expr: string): string[] {
  const lists = [...expr.matchAll(GROUPING)].map(([, list = '']) => list);
  return lists.flatMap((list) => list.split(',').map((label) => label.trim())).filter(Boolean);
}
