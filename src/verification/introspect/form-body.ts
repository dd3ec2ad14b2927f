import { invalidField, KeywardError } from '../../errors.ts';
import type { Admission } from '../../http/admission.ts';
import type { App } from '../../http/app-type.ts';
import { readWithin, refuseOtherEncodings } from '../../http/validation/json-body.ts';

export const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Bodies of the calls of this scope are forms, of which these parameters are read. */
export function takeForms(scope: App, admission: Admission, names: readonly string[]): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(FORM_TYPE, (request, payload, done) => {
    refuseOtherEncodings(request);
    readWithin(admission.bodies, request, payload, (error, body) => {
      if (error || !body) return done(error);
      const form = parseForm(body.toString(), names);
      if (form instanceof KeywardError) done(form);
      else done(null, form);
    });
  });
  scope.addContentTypeParser('*', (_request, _payload, done) => {
    done(new KeywardError('UNSUPPORTED_MEDIA_TYPE', `Send \`Content-Type: ${FORM_TYPE}\`.`));
  });
}

/** Others are ignored, as RFC 6749 requires; none of these may be given twice. */
function parseForm(text: string, names: readonly string[]): Record<string, string> | KeywardError {
  const form = new URLSearchParams(text);
  const repeated = names.find((name) => form.getAll(name).length > 1);
  if (repeated !== undefined) return invalidField(`/body/${repeated}`, 'is given twice');
  const given = names.flatMap((name): [string, string][] => {
    const value = form.get(name);
    // A part of the text would keep all of it, and some values are kept until they are counted.
    return value === null ? [] : [[name, Buffer.from(value).toString()]];
  });
  return Object.fromEntries(given);
}
