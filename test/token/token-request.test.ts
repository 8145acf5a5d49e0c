import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import type { JsonValue } from '../../src/protocol/json.ts'
import { formAsJson, INTENT_GRANTS, OAUTH_GRANTS, parseTokenRequest } from '../../src/protocol/token-request.ts'
import { readWorkflowRequest } from '../../src/protocol/workflow-request.ts'
import { refusal } from '../protocol/forge.ts'

const HEX = 'a'.repeat(64)
const LONG = 'urn:ietf:params:oauth:grant-type:agent_checksum'
const JSON_BODY = {
  grant_type: 'agent_checksum',
  agent_id: 'planner',
  computed_checksum: `sha256:${HEX}`,
  requested_scopes: ['read', 'write'],
  audience: 'https://api.example.com',
  workflow_enabled: true,
  workflow_id: 'w',
  workflow_step: { step_id: 's' },
  delegation_context: { chain: ['root', 'planner'], completed_steps: ['r'] },
} satisfies Record<string, JsonValue>
const PARSED = {
  grant_type: LONG,
  credentials: {},
  agent_id: 'planner',
  computed_checksum: HEX,
  scope: ['read', 'write'],
  resource: 'https://api.example.com',
  workflow: { workflow_id: 'w', workflow_step: 's', as_details: false },
  chain: ['root', 'planner'],
  completed_steps: ['r'],
}

test('the JSON of /intent/token has one internal shape (protocol.md section 6)', () => {
  assert.deepEqual(parseTokenRequest(JSON_BODY, INTENT_GRANTS), PARSED)
  assert.deepEqual(parseTokenRequest({ ...JSON_BODY, grant_type: LONG }, INTENT_GRANTS), PARSED)
  const audience = ['https://api.example.com']
  assert.deepEqual(parseTokenRequest({ ...JSON_BODY, audience, workflow_step: 's' }, INTENT_GRANTS), PARSED)
})

test('a key statement is text, and the same in both encodings (protocol.md section 6)', () => {
  const key_statement = 'header.payload.signature'
  const expected = { ...PARSED, key_statement }
  assert.deepEqual(parseTokenRequest({ ...JSON_BODY, key_statement }, INTENT_GRANTS), expected)
  const form = { ...JSON_BODY, key_statement, delegation_context: JSON.stringify(JSON_BODY.delegation_context) }
  assert.deepEqual(parseTokenRequest(formAsJson(form), OAUTH_GRANTS), expected)
  const inside = { ...JSON_BODY.delegation_context, key_statement }
  assert.throws(
    () => parseTokenRequest({ ...JSON_BODY, delegation_context: inside }, INTENT_GRANTS),
    refusal('invalid_request', 'malformed_parameter'),
  )
})

test('the form of /oauth/token means the same, with the standard names too (protocol.md section 2)', () => {
  const { requested_scopes, audience, delegation_context, workflow_step, workflow_enabled, ...text } = JSON_BODY
  const shared = {
    ...text,
    workflow_enabled: String(workflow_enabled),
    delegation_context: JSON.stringify(delegation_context),
  }
  const forms = [
    { ...shared, scope: 'read write', resource: audience, workflow_step: 's' },
    {
      ...shared,
      requested_scopes: JSON.stringify(requested_scopes),
      audience,
      workflow_step: JSON.stringify(workflow_step),
    },
  ]
  for (const form of forms) assert.deepEqual(parseTokenRequest(formAsJson(form), OAUTH_GRANTS), PARSED)
})

type Row = readonly [name: string, change: Record<string, JsonValue | undefined>, code: string, reason?: string]
const REFUSED: readonly Row[] = [
  ['no grant_type', { grant_type: undefined }, 'invalid_request', 'malformed_parameter'],
  ['grant_type no text', { grant_type: ['agent_checksum'] }, 'invalid_request', 'malformed_parameter'],
  ['unknown grant', { grant_type: 'password' }, 'unsupported_grant_type'],
  ['client_credentials at /intent/token', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
  ['scopes absent', { requested_scopes: undefined }, 'invalid_scope', 'malformed_scope'],
  ['scopes empty', { requested_scopes: [] }, 'invalid_scope', 'malformed_scope'],
  ['two scopes in one', { requested_scopes: ['read write'] }, 'invalid_request', 'malformed_parameter'],
  ['scope and requested_scopes', { scope: 'read' }, 'invalid_request', 'malformed_parameter'],
  ['scope an array', { requested_scopes: undefined, scope: ['read'] }, 'invalid_request', 'malformed_parameter'],
  ['no audience', { audience: undefined }, 'invalid_request', 'malformed_parameter'],
  ['two audiences', { audience: ['https://a', 'https://b'] }, 'invalid_target', 'several_resources'],
  ['no audience in the array', { audience: [] }, 'invalid_target', 'several_resources'],
  ['audience and another resource', { resource: 'https://b' }, 'invalid_request', 'malformed_parameter'],
  ['no agent_id', { agent_id: undefined }, 'invalid_request', 'malformed_parameter'],
  ['checksum of another form', { computed_checksum: 'md5:1' }, 'invalid_request', 'malformed_checksum'],
  [
    'steps without a workflow',
    { workflow_enabled: false, workflow_id: undefined, workflow_step: undefined },
    'invalid_request',
    'steps_without_workflow',
  ],
  ['execution_id of another form', { execution_id: 'x' }, 'invalid_request', 'malformed_parameter'],
  ['delegation_assertion no text', { delegation_assertion: {} }, 'invalid_request', 'malformed_parameter'],
  ['subject_token without its type', { subject_token: 'x' }, 'invalid_request', 'malformed_parameter'],
  ['subject_token_type alone', { subject_token_type: 'x' }, 'invalid_request', 'malformed_parameter'],
  ['actor_token', { actor_token: 'x' }, 'invalid_request', 'actor_token_sent'],
  ['actor_token_type', { actor_token_type: 'x' }, 'invalid_request', 'actor_token_sent'],
  ['requested_token_type', { requested_token_type: 'x' }, 'invalid_request', 'malformed_parameter'],
]

for (const [name, change, code, reason] of REFUSED) {
  test(`a token request is refused for: ${name} (protocol.md section 6, row 1)`, () => {
    const entries: [string, JsonValue | undefined][] = Object.entries({ ...JSON_BODY, ...change })
    const body: Record<string, JsonValue> = {}
    for (const [member, value] of entries) if (value !== undefined) body[member] = value
    assert.throws(() => parseTokenRequest(body, INTENT_GRANTS), refusal(code, reason))
  })
}

test('what has a meaning elsewhere is refused inside a context and a step, never ignored (protocol.md section 6)', () => {
  const { delegation_context, workflow_step } = JSON_BODY
  for (const name of ['execution_id', 'delegation_assertion']) {
    for (const change of [
      { delegation_context: { ...delegation_context, [name]: 'exe_1' } },
      { workflow_step: { ...workflow_step, [name]: 'exe_1' } },
    ]) {
      const attempt = () => parseTokenRequest({ ...JSON_BODY, ...change }, INTENT_GRANTS)
      assert.throws(attempt, refusal('invalid_request', 'malformed_parameter'))
    }
  }
  const unknown = { delegation_context: { ...delegation_context, more: 1 } }
  assert.deepEqual(parseTokenRequest({ ...JSON_BODY, ...unknown }, INTENT_GRANTS), PARSED)
})

test('an empty chain asserts nothing (protocol.md section 6)', () => {
  const { chain: _, ...parsed } = PARSED
  const delegation_context = { chain: [], completed_steps: ['r'] }
  assert.deepEqual(parseTokenRequest({ ...JSON_BODY, delegation_context }, INTENT_GRANTS), parsed)
})

test('a client_credentials request may leave the resource out, never the scope (protocol.md section 3)', () => {
  const grant_type = 'client_credentials'
  const parsed = parseTokenRequest({ grant_type, scope: 'read', client_id: 'app' }, OAUTH_GRANTS)
  assert.deepEqual(parsed, { grant_type, scope: ['read'], credentials: { client_id: 'app' } })
  assert.throws(() => parseTokenRequest({ grant_type }, OAUTH_GRANTS), refusal('invalid_scope'))
})

const detail = { type: 'urn:remit:workflow-step', workflow_id: 'w', workflow_step: 's' }
const named = { workflow_id: 'w', workflow_step: 's' }

test('a workflow request is two names, a detail, or both where they agree (protocol.md section 6)', () => {
  assert.deepEqual(readWorkflowRequest(named, undefined), { ...named, as_details: false })
  assert.deepEqual(readWorkflowRequest({ ...named, workflow_enabled: true }, [detail]), { ...named, as_details: true })
  assert.deepEqual(readWorkflowRequest({}, [detail]), { ...named, as_details: true })
  assert.equal(readWorkflowRequest({}, undefined), undefined)
  assert.equal(readWorkflowRequest({ workflow_enabled: false }, undefined), undefined)
})

test('half a workflow request, or one that disagrees, is refused (protocol.md section 6)', () => {
  const halves: readonly [object, JsonValue | undefined][] = [
    [{ workflow_id: 'w' }, undefined],
    [{ workflow_step: 's' }, undefined],
    [{ workflow_enabled: true }, undefined],
    [{ ...named, workflow_enabled: false }, undefined],
    [{ workflow_enabled: false }, [detail]],
    [{ workflow_id: 'other' }, [detail]],
    [{ workflow_step: 'other' }, [detail]],
  ]
  for (const [plain, details] of halves) {
    assert.throws(() => readWorkflowRequest(plain, details), refusal('invalid_request', 'half_workflow_request'))
  }
})

test('details of another form are refused (RFC 9396 section 5)', () => {
  const malformed: readonly JsonValue[] = [
    [],
    {},
    'x',
    [detail, detail],
    [{ ...detail, type: 'x' }],
    [{ ...detail, more: 1 }],
    [null],
  ]
  for (const details of malformed) {
    assert.throws(() => readWorkflowRequest({}, details), refusal('invalid_authorization_details', 'malformed_details'))
  }
  for (const name of ['execution_id', 'arguments', 'arguments_digest']) {
    const details = [{ ...detail, [name]: name === 'arguments' ? 'text' : {} }]
    assert.throws(() => readWorkflowRequest({}, details), refusal('invalid_authorization_details', 'malformed_details'))
  }
})

const EXECUTION = `exe_${'a'.repeat(22)}`

test('a step names its execution plainly, in its detail, or the same in both (protocol.md section 6)', () => {
  const expected = { ...named, execution_id: EXECUTION }
  const detailed = { ...detail, execution_id: EXECUTION }
  assert.deepEqual(readWorkflowRequest({ ...named, execution_id: EXECUTION }, undefined), {
    ...expected,
    as_details: false,
  })
  assert.deepEqual(readWorkflowRequest({}, [detailed]), { ...expected, as_details: true })
  const other = { execution_id: `exe_${'b'.repeat(22)}` }
  assert.throws(() => readWorkflowRequest(other, [detailed]), refusal('invalid_request', 'half_workflow_request'))
  assert.throws(() => readWorkflowRequest(other, undefined), refusal('invalid_request', 'half_workflow_request'))
})

test('arguments are digested as JCS; a digest that is sent must be theirs (protocol.md section 6)', () => {
  const sent = { b: 1e21, a: '\u20ac' }
  const text = '{"a":"\u20ac","b":1e+21}'
  const arguments_digest = sha256Base64url(text)
  const both = { ...detail, arguments: sent, arguments_digest }
  for (const details of [[{ ...detail, arguments: sent }], [both]]) {
    const read = readWorkflowRequest({}, details)
    assert.deepEqual(read, { ...named, as_details: true, arguments: text, arguments_digest })
  }
  assert.deepEqual(readWorkflowRequest({}, [{ ...detail, arguments_digest }]), {
    ...named,
    as_details: true,
    arguments_digest,
  })
  const wrong = [{ ...both, arguments_digest: sha256Base64url('{}') }]
  assert.throws(
    () => readWorkflowRequest({}, wrong),
    refusal('invalid_authorization_details', 'arguments_digest_mismatch'),
  )
  const large = [{ ...detail, arguments: { a: 'x'.repeat(32_761) } }]
  assert.throws(() => readWorkflowRequest({}, large), refusal('invalid_authorization_details', 'arguments_too_large'))
})

test('token exchange has a subject token; with an agent_id it is the agent grant (RFC 8693 section 2.1)', () => {
  const grant_type = 'urn:ietf:params:oauth:grant-type:token-exchange'
  const subject = { subject_token: 'a.b.c', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }
  const subject_token = { token: subject.subject_token, type: subject.subject_token_type }
  const plain = { grant_type, scope: 'read', ...subject }
  assert.deepEqual(parseTokenRequest(plain, OAUTH_GRANTS), {
    grant_type,
    scope: ['read'],
    credentials: {},
    subject_token,
  })
  const { delegation_context: _, ...agent } = JSON_BODY
  const { chain: __, completed_steps: ___, ...parsed } = PARSED
  const exchanged = parseTokenRequest({ ...agent, ...subject, grant_type }, OAUTH_GRANTS)
  assert.deepEqual(exchanged, { ...parsed, grant_type, subject_token })
  assert.throws(() => parseTokenRequest({ grant_type, scope: 'read' }, OAUTH_GRANTS), refusal('invalid_request'))
  const misplaced = { ...plain, delegation_assertion: 'a.b.c' }
  assert.throws(
    () => parseTokenRequest(misplaced, OAUTH_GRANTS),
    refusal('invalid_request', 'agent_parameter_without_agent'),
  )
  assert.throws(() => parseTokenRequest(plain, INTENT_GRANTS), refusal('unsupported_grant_type'))
})
