import { WORKSPACE_ID_PATTERN } from '../../domain/caller.ts';
import { PREFIX_PATTERN } from '../../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, REQUIRED_SCOPE_PATTERN } from '../../domain/scopes.ts';

/** Anything but `.` and `..`. */
export const NO_DOT_STEP_PATTERN = '^(?!\\.{1,2}$)';

/** What the patterns of our schemas mean; each completes "FIELD …" in an error. */
export const PATTERN_RULES: Readonly<Record<string, string>> = {
  [WORKSPACE_ID_PATTERN]:
    'must be a workspace id: 1 to 64 letters, digits, dots, dashes or underscores',
  [PREFIX_PATTERN]:
    'must be a prefix such as ak_live: lower case letters and digits, joined by underscores',
  [GRANTED_SCOPE_PATTERN]: 'must be a scope such as orders:read, orders:* or *',
  [REQUIRED_SCOPE_PATTERN]: 'must be a scope without a wildcard, such as orders:read',
  [NO_DOT_STEP_PATTERN]: 'must not be . or .., which paths of calls cannot contain',
  '^key_[0-9A-Za-z]{22}$': 'must be a key id, such as key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd',
  '^mk_[0-9A-Za-z]{22}$': 'must be the id of a management key, such as mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd',
  '^sec_[0-9A-Za-z]{22}$': 'must be a secret id, such as sec_5Tn8Wq2Lx7Yb2kQm4Xc9Rt',
};
