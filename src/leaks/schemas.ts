import { Type } from 'typebox';

/** Described, and not demanded: whatever is sent gets the same answer. */
export const ReportLeaks = Type.Object(
  {
    keys: Type.Array(
      Type.Object(
        {
          key: Type.String({
            description: 'String that was found. It is neither logged nor stored.',
            examples: ['ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
          }),
          url: Type.Optional(
            Type.String({
              description:
                'Where it was found: a web address of at most 2000 characters, which is not kept if ' +
                'it shows a part of a key.',
              examples: ['https://example.com/pastes/42'],
            }),
          ),
          source: Type.Optional(
            Type.String({
              description: 'In what it was found, in a few words.',
              examples: ['paste'],
            }),
          ),
        },
        { 'x-name': 'LeakedKey' },
      ),
      { maxItems: 100, description: 'Strings that were found. What is beyond 100 is ignored.' },
    ),
  },
  {
    'x-name': 'LeakReport',
    examples: [
      {
        keys: [
          {
            key: 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq',
            url: 'https://example.com/pastes/42',
          },
        ],
      },
    ],
  },
);

export const ReportLeaksByGithub = Type.Array(
  Type.Object(
    {
      type: Type.String({ description: 'Type of the string.', examples: ['keyward_api_key'] }),
      token: Type.String({
        description: 'String that was found. It is neither logged nor stored.',
        examples: ['ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
      }),
      url: Type.Optional(
        Type.String({
          description: 'Where it was found.',
          examples: ['https://github.com/acme/app/blob/main/config.js'],
        }),
      ),
      source: Type.Optional(
        Type.String({ description: 'In what it was found.', examples: ['content'] }),
      ),
    },
    { 'x-name': 'GithubAlert' },
  ),
  {
    'x-name': 'GithubLeakReport',
    examples: [
      [
        {
          type: 'keyward_api_key',
          token: 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq',
          url: 'https://github.com/acme/app/blob/main/config.js',
          source: 'content',
        },
      ],
    ],
  },
);
