import type { components, paths } from '../../../openapi/types.d.ts';

/** The types of the API, as its OpenAPI document describes it. */
export type Paths = paths;
export type Schemas = components['schemas'];
export type Key = Schemas['Key'];
export type Problem = Schemas['Problem'];
export type Permission = Schemas['Permission'];
export type UsageQuery = NonNullable<paths['/v1/usage']['get']['parameters']['query']>;
