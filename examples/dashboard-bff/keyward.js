const { KEYWARD_URL, KEYWARD_MANAGEMENT_KEY } = process.env;

/** Calls Keyward for a user. Its answer, or an error with the status and code that the page may see. */
export async function call(user, method, path, body) {
  const answer = await fetch(`${KEYWARD_URL}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${KEYWARD_MANAGEMENT_KEY}`,
      // Keyward's audit log then says for whom this was done.
      'keyward-actor': `user:${user.id}`,
      ...(body && { 'content-type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  }).catch(() => null);
  const data = await answer?.json();
  if (answer?.ok) return data;
  throw Object.assign(new Error(data?.detail ?? 'Keyward gave no answer'), {
    // 401 and 403 are mistakes of this program's own credential, not of the user.
    status: [400, 404, 409, 412, 422, 429].includes(answer?.status) ? answer.status : 503,
    code: data?.code ?? 'UNAVAILABLE',
  });
}
