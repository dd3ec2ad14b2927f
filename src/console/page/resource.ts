import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ApiError } from './api.ts';

/** Something that is loaded. While it is loaded again, the former data stay. */
export interface Resource<Data> {
  data: Data | null;
  error: ApiError | null;
  isLoading: boolean;
  reload: () => void;
}

/** Loads when the page is shown, and again when one of `inputs` changes. The last call wins. */
export function useResource<Data>(
  load: () => Promise<Data>,
  inputs: readonly (string | number | boolean | null | undefined)[],
): Resource<Data> {
  const state: Signal<Omit<Resource<Data>, 'reload'>> = useSignal({
    data: null,
    error: null,
    isLoading: true,
  });
  const turn = useSignal(0);
  const latest = useRef(0);
  useEffect(() => {
    const own = ++latest.current;
    const settle = (part: Partial<Resource<Data>>) => {
      if (own === latest.current) state.value = { ...state.value, ...part, isLoading: false };
    };
    state.value = { ...state.value, isLoading: true };
    load().then(
      (data) => settle({ data, error: null }),
      (error: unknown) => settle({ error: toApiError(error) }),
    );
  }, [...inputs, turn.value]);
  return { ...state.value, reload: () => turn.value++ };
}

/** What is no refusal is a fault of the page: it is shown as one, and told to the browser's console. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  reportError(error);
  return ApiError.unexpected();
}
