import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { generateKey } from '../support/dpop.ts'
import { type DraftClient, runDraftClient, type Stop } from './draft-agent.ts'
import { commitment, hash16 } from './hashes.ts'
import { type ClientBody, startSetting } from './setting.ts'

/** Exactly what protocol.md section 6 lists for a literal [D] client. */
const LISTED = {
  policies: {
    workflow_state: 'asserted',
    agent_proof: 'optional',
    default_grant: 'client',
    dpop_nonce: 'optional',
    require_approval: false,
  },
  grant_types: ['client_credentials', 'agent_checksum'],
  own: 'generate:intent-token register:intent register:workflow',
  resource: { token_profile: 'draft', scopes: [{ name: 'repo:write' }] },
}
type Listed = { readonly [Name in keyof typeof LISTED]: unknown }

const { policies } = LISTED
const setting = await startSetting()
let made = 0

test('the literal client of the draft gets an intent token with exactly the listed policies (protocol.md section 6)', async () => {
  const client = await draftClient(LISTED)
  const { path, response, body } = await runDraftClient(client)

  const { access_token, ...rest } = body
  assert.deepEqual([path, response.status], ['/intent/token', 200])
  assert.equal(typeof access_token, 'string')
  assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 300, scope: 'repo:write' })
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('pragma'), 'no-cache')
})

test('a draft token has the members of the draft and no others (protocol.md section 7)', async () => {
  const client = await draftClient(LISTED)
  const { body } = await runDraftClient(client)
  const token = String(body.access_token)

  const { kid, ...header } = decodeProtectedHeader(token)
  const { iat = 0, jti, agent_proof, ...claims } = decodeJwt<{ agent_proof: Record<string, unknown> }>(token)
  const { agent_checksum, registration_id, ...proof } = agent_proof
  const subject = `agent:${client.client_id}:patcher`
  assert.deepEqual(header, { typ: 'JWT', alg: 'ES256' })
  assert.match(String(kid), /^[\w-]{43}$/)
  assert.match(String(jti), /^[\w-]{22,}$/)
  assert.match(String(agent_checksum), /^sha256:[0-9a-f]{64}$/)
  assert.match(String(registration_id), /^reg_patcher_\d+(_[\w-]+)?$/)
  assert.deepEqual(proof, { version: 1, key: 'none' })
  assert.deepEqual(claims, {
    iss: setting.issuer,
    aud: client.resource,
    client_id: client.client_id,
    sub: 'patcher',
    exp: iat + 300,
    scope: 'repo:write',
    cnf: { jwk: client.agentKey.jwk },
    intent: {
      workflow_id: 'auto-patch',
      workflow_step: 'patch',
      executed_by: 'patcher',
      delegation_chain: hash16(['patcher']),
      step_sequence_hash: hash16(['scan', 'patch']),
      state: 'asserted',
      chain_commitment: commitment([subject]),
      initiated_by: subject,
    },
  })
})

const OWN = LISTED.own.split(' ')
const marked = (mark: object) => ({ resource: { ...LISTED.resource, scopes: [{ name: 'repo:write', ...mark }] } })
const MISSING: readonly (readonly [string, Partial<Listed>, readonly [string, number, string]])[] = [
  [
    'workflow_state: asserted',
    { policies: { ...policies, workflow_state: 'recorded' } },
    ['/intent/register/workflow', 400, 'invalid_request'],
  ],
  [
    'agent_proof: optional',
    { policies: { ...policies, agent_proof: 'required' } },
    ['/intent/token', 400, 'invalid_dpop_proof'],
  ],
  [
    'default_grant: client',
    { policies: { ...policies, default_grant: 'none' } },
    ['/intent/token', 400, 'invalid_target'],
  ],
  [
    'require_approval off',
    { policies: { ...policies, require_approval: true } },
    ['/intent/token', 401, 'agent_checksum_mismatch'],
  ],
  ['the grant client_credentials', { grant_types: ['agent_checksum'] }, ['/oauth/token', 400, 'unauthorized_client']],
  ['the grant agent_checksum', { grant_types: ['client_credentials'] }, ['/intent/token', 400, 'unauthorized_client']],
  ...OWN.map(
    scope =>
      [
        `the scope ${scope}`,
        { own: OWN.filter(other => other !== scope).join(' ') },
        ['/oauth/token', 400, 'invalid_scope'],
      ] as const,
  ),
  [
    'the draft profile of the resource',
    { resource: { ...LISTED.resource, token_profile: 'interop' } },
    ['/intent/token', 400, 'invalid_dpop_proof'],
  ],
  ['a scope without the mark workflow', marked({ workflow: true }), ['/intent/token', 400, 'invalid_scope']],
  ['a scope without the mark approval', marked({ approval: true }), ['/intent/token', 400, 'invalid_scope']],
]
for (const [missing, change, stop] of MISSING) {
  test(`the literal client of the draft fails without ${missing} (protocol.md section 6)`, async () => {
    assert.deepEqual(stopOf(await runDraftClient(await draftClient({ ...LISTED, ...change }))), stop)
  })
}

test('the literal client of the draft fails without dpop_nonce off (protocol.md section 6)', async () => {
  const required = { ...LISTED, policies: { ...policies, dpop_nonce: 'required' } }
  const stop = stopOf(await runDraftClient(await draftClient(required)))
  assert.deepEqual(stop, ['/oauth/token', 400, 'use_dpop_nonce'])
})

function stopOf({ path, response, body }: Stop): readonly [string, number, unknown] {
  return [path, response.status, body.error]
}

/** A resource and a client of these settings, of their own. */
async function draftClient({ own, resource: members, ...settings }: Listed): Promise<DraftClient> {
  made += 1
  const resource = `https://api.example.com/draft-${made}`
  await setting.createResource({ resource, ...Object(members) })
  const access: ClientBody['access'] = [
    { resource: setting.issuer, scope: String(own) },
    { resource, scope: 'repo:write' },
  ]
  const body = { access, token_endpoint_auth_method: 'client_secret_basic', ...settings }
  return {
    issuer: setting.issuer,
    resource,
    agentKey: await generateKey(),
    ...(await setting.createSecretClient(body)),
  }
}
