import { yearsOfUse, alertsOf } from './test/support/year-of-use.ts';
for (const seed of [1,2,3]) {
const t=performance.now();
const keys = yearsOfUse(seed);
const tally: Record<string, [number, number]> = {}; const falses: Record<string, number> = {};
let fa=0;
for (const key of keys) {
  const alerts = alertsOf(key);
  const used = new Set<number>();
  for (const p of key.planted) {
    const hit = alerts.filter(a => a >= p.from && a < p.from + p.hours);
    hit.forEach(a=>used.add(a));
    const c = tally[p.kind] ??= [0,0]; c[hit.length?0:1]++;
    if (p.kind!=='slow leak by night' && p.kind!=='just below' && !hit.length || p.kind==='just below' && hit.length) console.log(seed, p.kind, key.shape, Math.max(...key.counts.slice(p.from,p.from+p.hours)), Math.max(...key.counts.slice(p.from-35*24,p.from)));
  }
  const f = alerts.filter(a=>!used.has(a));
  if (f.length) { falses[key.shape]=(falses[key.shape]??0)+f.length; fa+=f.length; console.log('false', key.shape, f.map(a=>[Math.floor(a/24),a%24,key.counts[a]])+'') }
}
console.log(seed, keys.length, tally, 'false', fa, falses, Math.round(performance.now()-t)+'ms');
}
