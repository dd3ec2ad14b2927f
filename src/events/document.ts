import { type TSchema, Type } from 'typebox';
import { AUDIT_ACTIONS, type AuditAction } from '../audit/actions.ts';
import { AuditEvent } from '../audit/schemas.ts';
import { time } from '../http/schemas.ts';
import { PING } from '../webhooks/deliveries/schemas.ts';
import { EVENTS, EVENTS_VERSION, type EventType } from './catalogue.ts';

const { hash, before: _before, after: _after, ...fields } = AuditEvent.properties;

const EventData = Type.Object(fields, {
  'x-name': 'EventData',
  description: 'What all events have: the fields of an entry of the audit log.',
});

const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0', { description: 'Version of CloudEvents.', examples: ['1.0'] }),
    id: Type.String({ description: 'Event id.', examples: ['evt_2Lx7Yb2kQm4Xc9'] }),
    source: Type.String({
      description: 'Workspace of the event.',
      examples: ['/v1/workspaces/acme'],
    }),
    time: time('Time of the event.'),
    subject: Type.Optional(
      Type.String({
        description: 'Id of what the event is about.',
        examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
      }),
    ),
    datacontenttype: Type.Literal('application/json', {
      description: 'Media type of the data.',
      examples: ['application/json'],
    }),
  },
  { 'x-name': 'CloudEvent', description: 'What all events have as CloudEvents 1.0, as JSON.' },
);

const header = (name: string, description: string, example: string) => ({
  ...{ name, in: 'header', required: true, description, example },
  schema: { type: 'string' },
});

/** Of Standard Webhooks. */
const SIGNATURE_HEADERS = [
  header('webhook-id', 'Event id: the same each time that it is delivered.', 'evt_2Lx7Yb2kQm4Xc9'),
  header('webhook-timestamp', 'Time of the attempt, in seconds since 1970.', '1767225600'),
  header(
    'webhook-signature',
    'Signatures, one for each secret, separated by spaces.',
    'v1,g0hM9S=',
  ),
];

const RESPONSES = {
  '2XX': { description: 'Accepted. Any other answer, or none in time, is a failed attempt.' },
  '410': { description: 'No longer wanted: the webhook is disabled.' },
};

/** The `webhooks` of the OpenAPI document: a call that receivers answer, for each type of event. */
export function eventWebhooks(): Record<string, object> {
  const calls = AUDIT_ACTIONS.map((type) => [type, { post: operationOf(type) }]);
  return { ...Object.fromEntries(calls), [PING]: { post: pingOperation() } };
}

function operationOf(type: AuditAction): object {
  const data = Type.Unsafe({
    allOf: [EventData, ownData(type)],
    'x-name': `${nameOf(type)}Data`,
    description: EVENTS[type].description,
  });
  return receivedCall(type, EVENTS[type].description, { data, hash });
}

/** A test event is no entry of a log. */
function pingOperation(): object {
  const target = targetOf(['webhook'], 'wh_7Yb2kQm4Xc9Rt1Lw5Ns8Vd');
  const { id, time: at, action } = fields;
  const description = 'Somebody asked for a test event.';
  const data = Type.Object(
    { id, time: at, action, target },
    { 'x-name': `${nameOf(PING)}Data`, description },
  );
  const hash = Type.Null({ description: 'It is in no chain.', examples: [null] });
  return receivedCall(PING, description, { data, hash });
}

function receivedCall(type: string, description: string, content: Record<string, TSchema>) {
  const typed = {
    type: Type.Literal(type, { description: 'Event type.', examples: [type] }),
    ...content,
  };
  const timestamp = time('Time of the event, RFC 3339 in UTC.');
  const event = Type.Object({ timestamp, ...typed }, { 'x-name': nameOf(type), description });
  const cloudEvent = Type.Unsafe({
    allOf: [CloudEvent, Type.Object(typed)],
    'x-name': `${nameOf(type)}AsCloudEvent`,
    description,
  });
  return {
    operationId: `on${nameOf(type)}`,
    summary: description.replace(/\.$/, ''),
    tags: ['Events'],
    security: [],
    'x-event-version': EVENTS_VERSION,
    parameters: SIGNATURE_HEADERS,
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: event },
        'application/cloudevents+json': { schema: cloudEvent },
      },
    },
    responses: RESPONSES,
  };
}

/** What the data of events of this type have of their own. */
function ownData(type: AuditAction): TSchema {
  const { targetType, before = NOTHING, after }: EventType = EVENTS[type];
  return Type.Object({
    action: Type.Literal(type, { description: 'Event type.', examples: [type] }),
    target: targetOf([targetType].flat(), 'key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'),
    before,
    after,
  });
}

const NOTHING = Type.Null({ description: 'There was nothing before.', examples: [null] });

function targetOf(types: string[], example: string): TSchema {
  return Type.Object(
    {
      type: Type.Unsafe<string>({ enum: types, description: 'Target type.', examples: types }),
      id: Type.String({ description: 'Target id.', examples: [example] }),
    },
    { description: 'What the event is about.' },
  );
}

/** `key.grace_ended` is `KeyGraceEndedEvent` in the document. */
function nameOf(type: string): string {
  const words = type.split(/[._]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${words.join('')}Event`;
}
