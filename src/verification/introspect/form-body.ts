import { invalidField, KeywardError } from '../../errors.ts';
import type { Admission } from '../../http/admission.ts';
import type { App } from '../../http/app-type.ts';
import { readWithin, refuseOtherEncodings, sizeOf } from '../../http/validation/json-body.ts';

export const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Bodies of the calls of this scope are forms, of which these parameters are read. */
export function takeForms(scope: App, admission: Admission, names: readonly string[]): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(FORM_TYPE, (request, payload, done) => {
    refuseOtherEncodings(request);
    readWithin(admission.bodies, request, payload, sizeOf(request), (error, body) => {
      if (error || !body) return done(error);
      try {
        done(null, parseForm(body.toString(), names));
      } catch (refusal) {
        done(refusal instanceof Error ? refusal : new Error('unreadable form'));
      }
    });
  });
  scope.addContentTypeParser('*', (_request, _payload, done) => {
    done(new KeywardError('UNSUPPORTED_MEDIA_TYPE', `Send \`Content-Type: ${FORM_TYPE}\`.`));
  });
}

/** Others are ignored, as RFC 6749 requires; none of these may be given twice. */
export function parseForm(text: string, names: readonly string[]): Record<string, string> {
  const form = new URLSearchParams(text);
  const given = names.flatMap((name): [string, string][] => {
    const [value, ...others] = form.getAll(name);
    if (others.length > 0) throw invalidField(`/body/${name}`, 'is given twice');
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(given);
}
