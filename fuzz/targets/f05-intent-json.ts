import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { z } from 'zod'
import { isJsonObject, parseStrictJson } from '../../src/protocol/json.ts'
import { INTENT_GRANTS, isAgentRequest, parseTokenRequest } from '../../src/protocol/token-request.ts'
import { bytesOf, edited } from '../edited.ts'
import { jsonText } from '../json-text.ts'
import { agree, outcome } from '../outcome.ts'
import { readStrictJson } from '../reference/strict-json.ts'
import { target } from '../target.ts'

const DETAIL = { type: 'urn:remit:workflow-step', workflow_id: 'w', workflow_step: 's' }
const VALUES = [null, true, false, 0, '', 'x', [], ['x'], ['x', 'x'], {}, { step_id: 's' }, { chain: ['a'] }, [DETAIL]]

/** A request that is good, with some of its members in other forms. */
const request = fc
  .dictionary(
    fc.constantFrom(
      ...['grant_type', 'agent_id', 'computed_checksum', 'requested_scopes', 'scope', 'audience', 'resource'],
      ...['workflow_enabled', 'workflow_id', 'workflow_step', 'delegation_context', 'execution_id', 'actor_token'],
      ...['authorization_details', 'key_statement', 'delegation_assertion', 'subject_token', 'client_assertion'],
    ),
    fc.oneof(fc.constantFrom(...VALUES), fc.jsonValue({ maxDepth: 2 })),
    { maxKeys: 4 },
  )
  .map(members =>
    JSON.stringify({
      ...{ grant_type: 'agent_checksum', agent_id: 'a', computed_checksum: '0'.repeat(64) },
      ...{ requested_scopes: ['read'], audience: 'https://api.example', ...members },
    }),
  )
const deep = fc.tuple(fc.integer({ min: 30, max: 35 }), fc.nat(2 ** 35)).map(([depth, kinds]) => {
  const isArray = Array.from({ length: depth }, (_, at) => Math.floor(kinds / 2 ** at) % 2 === 0)
  const close = isArray.toReversed().map(one => (one ? ']' : '}'))
  return `${isArray.map(one => (one ? '[' : '{"a":')).join('')}1${close.join('')}`
})

export const intentJson = target({
  name: 'f05',
  rule: 'JSON is read as every strict reader reads it, or refused (RFC 7493)',
  input: z.string(),
  arbitrary: fc.oneof(
    { arbitrary: bytesOf(jsonText), weight: 6 },
    { arbitrary: bytesOf(edited(request, ['{', '"', ':null', ',"agent_id":"b"', '\\u0000', '__proto__'])), weight: 4 },
    { arbitrary: deep, weight: 1 },
  ),
  shortRuns: 500,
  holds(text) {
    const bytes = Buffer.from(text, 'latin1')
    const read = outcome(() => parseStrictJson(bytes), 'invalid_request')
    const model = isUtf8(bytes) ? readStrictJson(bytes.toString('utf8')) : undefined
    agree('value' in read, model !== undefined, text)
    if (!('value' in read)) return
    assert.deepEqual(read.value, model?.value)
    if (isJsonObject(read.value)) judgeRequest(read.value)
  },
})

/** Whatever the members are: one of the codes of row 1, or a request in which nothing is of another form. */
function judgeRequest(members: Parameters<typeof parseTokenRequest>[0]): void {
  const parsed = outcome(
    () => parseTokenRequest(members, INTENT_GRANTS),
    ...['invalid_request' as const, 'unsupported_grant_type' as const, 'invalid_scope' as const],
    ...['invalid_target' as const, 'invalid_authorization_details' as const],
  )
  if (!('value' in parsed)) return
  const request = parsed.value
  assert.ok(isAgentRequest(request))
  assert.ok(request.scope.length > 0 && new Set(request.scope).size === request.scope.length)
  assert.match(request.computed_checksum, /^[0-9a-f]{64}$/)
  for (const name of ['actor_token', 'subject_token'] as const) assert.equal(members[name], undefined)
  assert.ok([members.audience, members.resource].flat().includes(request.resource))
}
