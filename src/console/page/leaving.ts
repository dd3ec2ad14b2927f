import { useLayoutEffect } from 'preact/hooks';
import { holdPlace } from './router.ts';

/**
 * While `isHeld`, the page is not left by accident: links and the back button lead nowhere, and say why
 * by `refused`; the browser asks before it is closed or loaded again.
 */
export function useHeldPage(isHeld: boolean, refused: () => void): void {
  useLayoutEffect(() => {
    if (!isHeld) return undefined;
    addEventListener('beforeunload', ask);
    const release = holdPlace(refused);
    return () => {
      removeEventListener('beforeunload', ask);
      release();
    };
  }, [isHeld]);
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
