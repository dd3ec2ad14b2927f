import { readdirSync, readFileSync } from 'node:fs';
import { cpuSecondsOf } from './program.ts';

const CLOCK_TICKS_PER_SECOND = 100;
/** Places in /proc/PID/stat behind the name: the parent, and the time of children that have ended. */
const PARENT = 1;
const ENDED_CHILDREN = [13, 14];

/** Seconds of processor time of the server and of all its processes, ended ones included. */
export function postgresCpuSeconds(postmaster: number): number {
  const running = readdirSync('/proc').map(Number).filter(Number.isInteger);
  const children = running.filter((pid) => statOf(pid)[PARENT] === postmaster);
  const ended = ENDED_CHILDREN.map(
    (place) => (statOf(postmaster)[place] ?? 0) / CLOCK_TICKS_PER_SECOND,
  );
  return [postmaster, ...children]
    .map(cpuOf)
    .concat(ended)
    .reduce((sum, own) => sum + own, 0);
}

/** Empty if the process has ended meanwhile. */
function statOf(pid: number): number[] {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '';
    return fields.split(' ').map(Number);
  } catch {
    return [];
  }
}

function cpuOf(pid: number): number {
  try {
    return cpuSecondsOf(pid);
  } catch {
    return 0;
  }
}
