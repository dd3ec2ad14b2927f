import { useSignal } from '@preact/signals';
import { ApiError } from './api.ts';
import { toApiError } from './resource.ts';

/** One call that a button makes: while it runs the button rests, and a refusal is kept to be shown. */
export function useAction() {
  const error = useSignal<ApiError | null>(null);
  const isBusy = useSignal(false);
  /** Whether it was done. */
  const run = async (call: () => Promise<void>): Promise<boolean> => {
    if (isBusy.value) return false;
    isBusy.value = true;
    error.value = null;
    try {
      await call();
      return true;
    } catch (caught) {
      error.value = inWords(toApiError(caught));
      return false;
    } finally {
      isBusy.value = false;
    }
  };
  return { error, isBusy, run };
}

/** The API tells programs what to send; people sign in. */
function inWords(error: ApiError): ApiError {
  if (error.status !== 401) return error;
  const detail = 'Nothing was changed. Sign in, then try again.';
  return new ApiError({ ...error.problem, title: 'The session had ended', detail }, 401);
}
