import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { answers, ref } from '../../http/schemas.ts';
import {
  HygieneKeyPage,
  HygieneOwnerPage,
  HygieneQuery,
  HygieneReport,
  HygieneSectionPath,
  HygieneSectionQuery,
} from './schemas.ts';
import { OWNER_SECTION } from './sections.ts';
import type { HygieneService } from './service.ts';

const read = { config: { permission: 'keys:read' } } as const;
const tags = ['Keys'];

export function hygieneRoutes(app: App, hygiene: HygieneService): void {
  app.addSchema(HygieneReport);
  app.addSchema(HygieneKeyPage);
  app.addSchema(HygieneOwnerPage);
  app.get(
    '/v1/reports/hygiene',
    {
      ...read,
      schema: {
        operationId: 'getHygieneReport',
        tags,
        summary: 'Get the hygiene report',
        description:
          'How many keys should be looked at, by what is wrong with them: each section is counted up to ' +
          '10,000, for at most half a second, and read by its name. Revoked and deleted keys are in none.',
        querystring: HygieneQuery,
        response: answers({ 200: ref(HygieneReport) }, 'NOT_FOUND'),
      },
    },
    (request) => hygiene.report(getCallContext(request), request.query),
  );
  app.get(
    '/v1/reports/hygiene/:section',
    {
      ...read,
      schema: {
        operationId: 'listHygieneKeys',
        tags,
        summary: 'List the keys of a section',
        description:
          'Section by section: `idle` begins with the key that has been idle longest, `expiring` with the ' +
          'next to expire, `many-scopes` with most scopes, others with the oldest or by id.',
        params: HygieneSectionPath,
        querystring: HygieneSectionQuery,
        response: answers({ 200: ref(HygieneKeyPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => hygiene.keysOf(getCallContext(request), request.params.section, request.query),
  );
  app.get(
    `/v1/reports/hygiene/${OWNER_SECTION}`,
    {
      ...read,
      schema: {
        operationId: 'listHygieneOwners',
        tags,
        summary: 'List owners without active keys',
        description: 'Owners whose keys are all revoked, expired or disabled.',
        querystring: HygieneSectionQuery,
        response: answers({ 200: ref(HygieneOwnerPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => hygiene.owners(getCallContext(request), request.query),
  );
}
